"""Declares the commands of a running deployment. Reads, calls the pure modules beside it, prints."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.runpod.catalog import NotOffered, read_catalog, select
from infra.runpod.cheapest import CHEAPEST, offers, sentence
from infra.runpod.job_model import recorded_model
from infra.settings.presets import SCALING_PRESETS
from scripts.splat_cli.edge_client import Job, Project
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate import change, costs, estimate, job_list, screen, switch
from scripts.splat_cli.operate.spending import read_cost
from scripts.splat_cli.operate.watch import Watch
from scripts.splat_cli.options import (
    ROOT,
    JsonOption,
    MaxCostOption,
    SceneArgument,
    StackOption,
    YesOption,
    console,
)
from scripts.splat_cli.photos import find_photos, photos_in
from scripts.splat_cli.show import counted, usd
from scripts.splat_cli.stack import LOCAL
from scripts.splat_cli.stack_access import find_engine, open_edge, open_stack

PIPE_WIDTH = 200  # columns, so that a line of a table stays one line
ReasonOption = Annotated[str, typer.Option("--reason", help="Shown to people who start a job meanwhile")]


def add_to(app: typer.Typer) -> None:
    """Register every command of this module."""
    for command in (jobs, job, cancel, retry, monitor, stop, resume, scale, gpu, capacity):
        app.command()(command)
    money = typer.Typer(invoke_without_command=True)
    money.callback()(cost)
    money.command(name="estimate")(estimate_cost)
    app.add_typer(money, name="cost")


def jobs(
    *,
    stack: StackOption = LOCAL,
    state: Annotated[list[str] | None, typer.Option(help="queued, running, done, failed or cancelled")] = None,
    preset: Annotated[list[str] | None, typer.Option("--preset", "-p", help="preview, standard or high")] = None,
    since: Annotated[str | None, typer.Option(help="Only jobs submitted since: 90m, 24h, 7d")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List jobs with state, photos, seconds and price, newest first."""
    now = datetime.now(UTC)
    wanted = job_list.Filter(
        states=job_list.read_states(state or ()),
        presets=frozenset(preset or ()),
        since=None if since is None else now - job_list.read_age(since),
    )
    with open_edge(ROOT, stack) as client:
        found = list(job_list.select(client.jobs(), wanted, limit=limit))
    if as_json:
        print_json([_plain(one) for one in found])
    elif found:
        print_table(job_list.jobs_table(found, now, width=_out().width))
    else:
        console.print("No such jobs." if state or preset or since else "No jobs yet: splat reconstruct DIR")


def job(project: SceneArgument, stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Print everything about a scene's jobs: attempts, price, stages, errors, reasons per photo."""
    with open_edge(ROOT, stack) as client:
        found = client.project(project)
        names = client.photo_names(project) if found.report or found.error else {}
        created = datetime.fromisoformat(found.created_at)
        mine = job_list.Filter(since=created)
        attempts = [one for one in job_list.select(client.jobs(), mine) if one.project_id == project]
    if as_json:
        print_json({**found.model_dump(mode="json"), "attempts": [_plain(one) for one in attempts]})
        return
    table = Table(title=found.name, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for row in job_list.detail_rows(found, attempts, names, datetime.now(UTC)):
        table.add_row(*row)
    print_table(table)


def cancel(project: SceneArgument, stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Cancel the queued or running job of a scene."""
    with open_edge(ROOT, stack) as client:
        _done(client.cancel(project), "cancelled", as_json=as_json)


def retry(
    project: SceneArgument, stack: StackOption = LOCAL, max_cost: MaxCostOption = None, as_json: JsonOption = False
) -> None:
    """Start the job of a scene again, from its checkpoint. Keeps the preset, and the ceiling unless given."""
    with open_edge(ROOT, stack) as client:
        _done(client.retry(project, usd_max=max_cost), f"queued again: splat job {project}", as_json=as_json)


def monitor(
    *,
    stack: StackOption = LOCAL,
    once: Annotated[bool, typer.Option("--once", help="Print once instead of refreshing until Ctrl-C")] = False,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks")] = 3.0,
    as_json: JsonOption = False,
) -> None:
    """Watch a deployment: workers, queue, jobs, stages, spend against budget, last failures."""
    with Watch.open(ROOT, stack) as watch:
        if as_json:
            print_json(watch.take().as_json())
            return
        out = _out()
        if once or not sys.stdout.isatty():
            out.print(screen.render(watch.take(), width=out.width))
            return
        with Live(console=out, screen=True, auto_refresh=False) as live:
            while True:
                live.update(screen.render(watch.take(), width=out.width), refresh=True)
                time.sleep(every)


def stop(
    reason: ReasonOption = "An operator stopped it.", stack: StackOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Start no more jobs, end those that wait, and set the endpoint's workers to 0. Running jobs go on."""
    report = switch.stop(open_stack(ROOT, stack), reason)
    _report(report, as_json=as_json)


def resume(stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Set the workers of the configuration again, and let jobs start."""
    _report(switch.resume(open_stack(ROOT, stack)), as_json=as_json)


def cost(
    context: typer.Context,
    *,
    stack: StackOption = LOCAL,
    since: Annotated[str | None, typer.Option(help="How far back: 7d, 90d; default: since the 1st")] = None,
    by: Annotated[str, typer.Option(help="day or month")] = "day",
    as_json: JsonOption = False,
) -> None:
    """Compare RunPod's bill with what jobs reported, by stage and by day or month (UTC)."""
    if context.invoked_subcommand is not None:
        return
    if by not in ("day", "month"):
        raise CommandError(f"There is no period {by!r}.", hint="choose day or month")
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight.replace(day=1) if since is None else midnight - job_list.read_age(since)
    found = read_cost(open_stack(ROOT, stack), start=start, now=now, monthly=by == "month")
    if as_json:
        print_json({"since": start.isoformat(), **found.as_json()})
        return
    print_table(costs.lines_table(found))
    print()
    print_table(costs.periods_table(found, monthly=by == "month"))
    console.print(
        f"Since {start:%Y-%m-%d}: {counted(found.jobs, 'job')} reported {usd(found.reported_usd)}, RunPod billed"
        f" {usd(found.billed_usd)}.",
        soft_wrap=True,
    )
    if found.behind_usd:
        console.print(
            f"The bill is {usd(found.behind_usd)} behind the reports: RunPod bills later, or the worker has no GPU.",
            soft_wrap=True,
        )


def estimate_cost(
    folder: Annotated[Path | None, typer.Argument(help="Folder of photos", metavar="[DIR]")] = None,
    *,
    stack: StackOption = LOCAL,
    photos: Annotated[int | None, typer.Option(min=1, help="Number of photos, instead of a folder")] = None,
    gpus: Annotated[str | None, typer.Option("--gpu", help="Cards, separated by commas; default: all")] = None,
    preset: Annotated[str, typer.Option("--preset", "-p", help="preview or standard")] = "preview",
    cheapest: Annotated[bool, typer.Option("--cheapest", help="Print only the card with the lowest price")] = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate seconds and price of a job on each card, at today's rates of RunPod's catalogue."""
    if (folder is None) == (photos is None):
        raise CommandError("Give a folder or --photos.", hint="for example: splat cost estimate --photos 50")
    access = open_stack(ROOT, stack)
    if folder is not None:
        with access.edge() as client:
            photos = photos_in(find_photos(folder, client.limits())[0])
    runpod = access.runpod()
    try:
        catalog = read_catalog(runpod.list_gpus())
    finally:
        runpod.close()
    model = recorded_model()
    names = [name.strip() for name in (gpus or "").split(",") if name.strip()]
    found = estimate.rows(model, names, catalog, preset=preset, photos=photos or 0)
    if cheapest:
        found = [min(found, key=lambda one: (not one.fits, one.usd))]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    if as_json:
        print_json(estimate.as_json(found, model, as_of=today))
        return
    print_table(estimate.table(found))
    misfit = estimate.misfit_line(found, preset=preset, photos=photos or 0)
    for line in [misfit, *estimate.basis_lines(model, as_of=today), estimate.guide_line(model, catalog)]:
        if line is not None:
            console.print(line, soft_wrap=True)


def scale(
    name: Annotated[str, typer.Argument(help="small, medium or large", metavar="NAME")],
    stack: StackOption = LOCAL,
    yes: YesOption = False,
) -> None:
    """Change how many workers may run: write the key, show the plan, apply it."""
    engine = find_engine(ROOT, stack)
    wanted = change.scaling_change(engine.config(), name)
    console.print(f"{name}: {change.scaling_words(name)}")
    change.apply(engine, wanted, sure=yes, show=_say)


def gpu(
    name: Annotated[
        str, typer.Argument(help='Cards in order of preference: "RTX 4090, L40S"; or cheapest', metavar="NAMES")
    ],
    stack: StackOption = LOCAL,
    yes: YesOption = False,
) -> None:
    """Change the card: check the name and the price, write the key, show the plan, apply it."""
    runpod = open_stack(ROOT, stack).runpod()
    names = tuple(part.strip() for part in name.split(",") if part.strip())
    try:
        catalog = read_catalog(runpod.list_gpus())
        if names[:1] == (CHEAPEST,):
            # The deployment chooses again, among the cards that the image has kernels for.
            found = offers(catalog, recorded_model())
            _say(sentence(found[0], found))
            names = (found[0].card, *names[1:])
        chosen = select(names, catalog)
    except NotOffered as refusal:
        raise CommandError(f"{refusal}.", hint="use a name of the list above") from None
    finally:
        runpod.close()
    console.print(f"{chosen.first_choice}: ${chosen.usd_per_h:.2f} an hour")
    change.apply(find_engine(ROOT, stack), {"photo-splat:gpu": name}, sure=yes, show=_say)


def capacity(
    *,
    stack: StackOption = LOCAL,
    jobs_per_hour: Annotated[float, typer.Option("--jobs-per-hour", min=0.1, max=2000, help="Jobs in an hour")],
    photos: Annotated[int, typer.Option(min=1, help="Photos of a job")],
    gpus: Annotated[str, typer.Option("--gpu", help="Cards, separated by commas")] = "RTX 4090",
    preset: Annotated[str, typer.Option("--preset", "-p", help="preview or standard")] = "preview",
    start_s: Annotated[float, typer.Option("--start-s", min=0, max=3600, help="Seconds of a worker's start")] = 30.0,
    wake_s: Annotated[
        float | None,
        typer.Option("--wake-s", min=0, max=3600, help="Seconds in which FlashBoot wakes a worker; default: none"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay the autoscaler's rules for a load: waiting times and price per scaling preset and card."""
    from scripts.splat_cli.operate import capacity as replay

    runpod = open_stack(ROOT, stack).runpod()
    try:
        catalog = read_catalog(runpod.list_gpus())
    finally:
        runpod.close()
    model = recorded_model()
    names = [name.strip() for name in gpus.split(",") if name.strip()]
    times = replay.arrivals(jobs_per_hour, replay.HOURS)
    rows = []
    for card in estimate.rows(model, names, catalog, preset=preset, photos=photos):
        load = replay.Load(jobs_per_h=jobs_per_hour, job_s=card.seconds, start_s=start_s, wake_s=wake_s)
        for name, numbers in SCALING_PRESETS.items():
            outcome = replay.replay(load, numbers, times)
            rate = card.usd_per_h / 3600
            rows.append(
                replay.Row(
                    scaling=name.value,
                    gpu=card.gpu,
                    job_s=card.seconds,
                    usd_per_h=outcome.usd_per_h(rate),
                    usd_per_job=outcome.usd_per_job(rate),
                    outcome=outcome,
                )
            )
    if as_json:
        print_json(replay.as_json(rows))
        return
    print_table(replay.capacity_table(rows, width=_out().width))
    flashboot = "every start is a cold one (--wake-s)" if wake_s is None else f"FlashBoot wakes it in {wake_s:g} s"
    console.print(
        f"{len(times)} jobs at random times in {replay.HOURS} virtual hours. A worker is assumed to start in"
        f" {start_s:g} s (--start-s); {flashboot}. Seconds of a job: see splat cost estimate.",
        soft_wrap=True,
    )


def _say(line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Data for programs, on stdout."""
    print(json.dumps(value, indent=2))


def print_table(table: Table) -> None:
    """Data for people, on stdout; as wide as it needs to be in a pipe."""
    _out().print(table)


def _out() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _done(project: Project, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(project.model_dump(mode="json"))
    else:
        console.print(f"{project.name}: {words}", markup=False, soft_wrap=True)


def _report(report: switch.Report, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    for line in report.lines():
        console.print(line, markup=False, soft_wrap=True)


def _plain(one: Job) -> dict[str, Any]:
    return one.model_dump(mode="json")
