"""Declares the commands of a running deployment. Reads, calls the pure modules beside it, prints."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from scripts.splat_cli.edge_client import Job, Project
from scripts.splat_cli.operate import job_list, screen, switch
from scripts.splat_cli.operate.watch import Watch
from scripts.splat_cli.options import ROOT, JsonOption, MaxCostOption, SceneArgument, StackOption, console
from scripts.splat_cli.stack import LOCAL
from scripts.splat_cli.stack_access import open_edge, open_stack

PIPE_WIDTH = 200  # columns, so that a line of a table stays one line
ReasonOption = Annotated[str, typer.Option("--reason", help="Shown to people who start a job meanwhile")]


def add_to(app: typer.Typer) -> None:
    """Register every command of this module."""
    for command in (jobs, job, cancel, retry, monitor, stop, resume):
        app.command()(command)


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
        print_table(job_list.jobs_table(found, now))
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
        elif once or not sys.stdout.isatty():
            _out().print(screen.render(watch.take()))
        else:
            with Live(screen.render(watch.take()), console=_out(), screen=True, auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(screen.render(watch.take()), refresh=True)


def stop(
    reason: ReasonOption = "An operator stopped it.", stack: StackOption = LOCAL, as_json: JsonOption = False
) -> None:
    """Start no more jobs, end those that wait, and set the endpoint's workers to 0. Running jobs go on."""
    report = switch.stop(open_stack(ROOT, stack), reason)
    _report(report, as_json=as_json)


def resume(stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Set the workers of the configuration again, and let jobs start."""
    _report(switch.resume(open_stack(ROOT, stack)), as_json=as_json)


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
