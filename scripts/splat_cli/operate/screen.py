"""The monitor's screen: a snapshot as tables for a terminal of any width. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.splat_cli.operate.figures import Snapshot
from scripts.splat_cli.operate.tables import Column, table
from scripts.splat_cli.show import STAGE_WORDS, seconds, usd

COLOURS = {"running": "green", "idle": "cyan", "initializing": "yellow", "throttled": "yellow", "unhealthy": "red"}
BUDGET_WARNING = 0.8  # of the month's budget


def render(shot: Snapshot, *, width: int) -> RenderableType:
    """width: of the terminal, in characters."""
    return Group(*_parts(shot, width))


def _parts(shot: Snapshot, width: int) -> Iterator[RenderableType]:
    if shot.stopped is not None:
        yield Text(f"STOPPED: {shot.stopped} Fix the cause, then run: splat resume", style="bold red")
    elif shot.failed_starts:
        yield Text(f"{shot.failed_starts} starts of workers failed in a row: splat doctor", style="yellow")
    # A table's own title would wrap at the table's width.
    yield Text(_workers_title(shot), style="bold")
    if shot.workers:
        yield _workers(shot)
    yield Text(_jobs_title(shot), style="bold")
    if shot.running:
        yield _jobs(shot, width)
    if shot.stages:
        yield Text("Stages of a week's jobs", style="bold")
        yield _stages(shot)
    yield _spend(shot)
    for one in shot.failures:
        when = "" if one.at is None else f"{one.at:%m-%d %H:%M} "
        yield Text(f"{when}{one.name} ({one.project_id}) failed: {one.message}", style="red")
        if one.advice:
            yield Text(f"  {one.advice}")


def _table(*columns: str) -> Table:
    rows = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        rows.add_column(name, overflow="fold")
    return rows


def _workers_title(shot: Snapshot) -> str:
    return "Workers: " + (", ".join(f"{count} {state}" for state, count in shot.counts.items() if count) or "none")


def _workers(shot: Snapshot) -> RenderableType:
    rows = _table("id", "state", "card", "up for")
    for one in shot.workers or ():
        card = f"{one.gpus} x {one.gpu}" if one.gpus > 1 else one.gpu
        up = "" if one.uptime_s is None else seconds(round(one.uptime_s))
        rows.add_row(one.id, Text(one.state, style=COLOURS.get(one.state, "")), card, up)
    return rows


def _jobs_title(shot: Snapshot) -> str:
    queued = sum(one.state == "queued" for one in shot.running)
    oldest = "" if shot.oldest_wait_s is None else f", oldest for {seconds(round(shot.oldest_wait_s))}"
    success = "" if shot.success is None else f", {shot.success:.0%} of a day's jobs succeeded"
    ended = f"{shot.ended_last_hour} ended in an hour and {shot.ended_last_day} in a day"
    return f"Jobs: {queued} waiting{oldest}, {len(shot.running) - queued} running, {ended}{success}"


JOB_COLUMNS = (
    Column(name="id"),
    Column(name="stage"),
    Column(name="done", right=True),
    Column(name="left", right=True),
    Column(name="waited", right=True, drop=2),
    Column(name="name", drop=1, elastic=True),
)


def _jobs(shot: Snapshot, width: int) -> RenderableType:
    rows = []
    for one in shot.running:
        left = "" if one.left_s is None else seconds(round(one.left_s))
        waited = "" if one.waited_s is None else seconds(round(one.waited_s))
        done = f"{one.fraction:.0%}" if one.state == "running" else ""
        rows.append((one.project_id, STAGE_WORDS.get(one.stage, one.stage), done, left, waited, one.name))
    return table(JOB_COLUMNS, rows, width=width)


def _stages(shot: Snapshot) -> RenderableType:
    rows = _table("stage", "jobs", "p50", "p95")
    for one in shot.stages:
        rows.add_row(STAGE_WORDS.get(one.stage, one.stage), str(one.jobs), seconds(one.p50_s), seconds(one.p95_s))
    return rows


def _spend(shot: Snapshot) -> RenderableType:
    share = (shot.usd_month + shot.usd_reserved) / shot.usd_budget if shot.usd_budget else 1.0
    return Text.assemble(
        ("Spend: ", "bold"),
        f"{usd(shot.usd_per_h)} an hour now, {usd(shot.usd_today)} today, {usd(shot.usd_month)} this month and"
        f" {usd(shot.usd_reserved)} reserved, of a budget of ${shot.usd_budget:.2f} (",
        (f"{share:.0%}", "yellow" if share >= BUDGET_WARNING else ""),
        ")",
    )
