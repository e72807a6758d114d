"""RunPod's bill beside what the jobs reported: where each dollar went, by line and by day or month. Pure.
What no job reports (a worker's start and its idle time) is a line of its own, never spread over jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.table import Table

from scripts.splat_cli.edge_client import Job
from scripts.splat_cli.operate.job_list import waited_s
from scripts.splat_cli.show import STAGE_WORDS, seconds, usd

FAILED, CANCELLED, STARTING, IDLE, DISK = "failed jobs", "cancelled jobs", "workers starting", "idle and other", "disk"


@dataclass(frozen=True, kw_only=True)
class Bill:
    """RunPod's amounts of one day or month that begins at `start`. US dollars."""

    start: datetime
    gpu_usd: float
    disk_usd: float
    other_usd: float = 0.0

    @property
    def usd(self) -> float:
        return self.gpu_usd + self.disk_usd + self.other_usd


@dataclass(frozen=True, kw_only=True)
class Line:
    """One use of money. seconds: None where it is not a worker's time."""

    name: str
    usd: float
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Period:
    """A day or a month: what was billed, and what jobs that ended in it reported."""

    start: datetime
    billed_usd: float
    jobs: int
    reported_usd: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Lines add up to `billed_usd`, or to `reported_usd` where the bill is behind the reports."""

    billed_usd: float
    reported_usd: float
    jobs: int
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]

    @property
    def behind_usd(self) -> float:
        """How far RunPod's bill is behind what jobs reported, at least 0."""
        return max(0.0, self.reported_usd - self.billed_usd)

    def as_json(self) -> dict[str, Any]:
        periods = [{**asdict(one), "start": one.start.isoformat()} for one in self.periods]
        return {**asdict(self), "behind_usd": self.behind_usd, "periods": periods}


def read_bills(records: Iterable[Mapping[str, Any]]) -> tuple[Bill, ...]:
    """The records of /v2/billing/serverless of one endpoint, oldest first."""
    bills = [
        Bill(
            start=datetime.fromisoformat(str(one["startTime"])),
            gpu_usd=float(one.get("gpuAmount") or 0),
            disk_usd=float(one.get("diskAmount") or 0),
            other_usd=float(one.get("cpuAmount") or 0) + float(one.get("feeAmount") or 0),
        )
        for one in records
    ]
    return tuple(sorted(bills, key=lambda one: one.start))


def reconcile(bills: Sequence[Bill], jobs: Sequence[Job], *, usd_per_s: float, monthly: bool, now: datetime) -> Cost:
    """jobs: the attempts that ended in the bills' time. usd_per_s: the rate of a second that no report prices."""
    ended = [one for one in jobs if one.ended_at is not None]
    stages = _stage_lines(ended)
    lost = [_lost_line(name, [one for one in ended if one.state == state]) for name, state in LOST.items()]
    reported = sum(one.usd for one in ended)
    billed = sum(one.usd for one in bills)
    # What no job reports: a worker is billed from its start, and while it waits for another job.
    rest_usd = max(0.0, sum(one.gpu_usd + one.other_usd for one in bills) - reported)
    waited = sum(_start_s(one, now) for one in ended)
    starting_usd = min(rest_usd, waited * usd_per_s)
    idle_usd = rest_usd - starting_usd
    lines = [
        *stages,
        *lost,
        Line(name=STARTING, usd=starting_usd, seconds=starting_usd / usd_per_s if usd_per_s else None),
        Line(name=IDLE, usd=idle_usd, seconds=idle_usd / usd_per_s if usd_per_s else None),
        Line(name=DISK, usd=sum(one.disk_usd for one in bills)),
    ]
    return Cost(
        billed_usd=billed,
        reported_usd=reported,
        jobs=len(ended),
        lines=tuple(lines),
        periods=_periods(bills, ended, monthly=monthly),
    )


def _start_s(job: Job, now: datetime) -> float:
    """Seconds in which workers may have been starting for a job, also in vain: a job that cost nothing never ran."""
    if job.started_at is None and job.usd == 0 and job.ended_at is not None:
        return (job.ended_at - job.submitted_at).total_seconds()
    return waited_s(job, now) or 0.0


LOST = {FAILED: "failed", CANCELLED: "cancelled"}


def _stage_lines(jobs: Sequence[Job]) -> list[Line]:
    """Stages of jobs that succeeded. A job's price is spread over its stages by their seconds."""
    time: dict[str, float] = defaultdict(float)
    money: dict[str, float] = defaultdict(float)
    for job in jobs:
        total = sum(one.seconds for one in job.stages)
        if job.state != "done":
            continue
        for one in job.stages if total else ():
            time[one.stage] += one.seconds
            money[one.stage] += job.usd * one.seconds / total
        if not total:
            money["other"] += job.usd
    return [Line(name=stage, usd=money[stage], seconds=time.get(stage)) for stage in money]


def _lost_line(name: str, jobs: Sequence[Job]) -> Line:
    known = [one.seconds for one in jobs if one.seconds is not None]
    return Line(name=name, usd=sum(one.usd for one in jobs), seconds=sum(known) if known else None)


def _periods(bills: Sequence[Bill], jobs: Sequence[Job], *, monthly: bool) -> tuple[Period, ...]:
    def start_of(moment: datetime) -> datetime:
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        return day.replace(day=1) if monthly else day

    billed: dict[datetime, float] = defaultdict(float)
    for bill in bills:
        billed[start_of(bill.start)] += bill.usd
    ended: dict[datetime, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.ended_at is not None:
            ended[start_of(job.ended_at)].append(job)
    return tuple(
        Period(
            start=start,
            billed_usd=billed.get(start, 0.0),
            jobs=len(ended.get(start, [])),
            reported_usd=sum(one.usd for one in ended.get(start, [])),
        )
        for start in sorted({*billed, *ended})
    )


def lines_table(cost: Cost) -> Table:
    """Where the money went."""
    table = _table("use", "seconds", "price", "share")
    total = sum(one.usd for one in cost.lines)
    for one in cost.lines:
        words = STAGE_WORDS.get(one.name, one.name)
        time = "" if one.seconds is None else seconds(one.seconds)
        table.add_row(words, time, usd(one.usd), f"{one.usd / total:.0%}" if total else "")
    table.add_row("all", "", usd(total), "")
    return table


def periods_table(cost: Cost, *, monthly: bool) -> Table:
    """One line per day or month."""
    table = _table("month" if monthly else "day", "jobs", "reported", "billed")
    for one in cost.periods:
        day = f"{one.start:%Y-%m}" if monthly else f"{one.start:%Y-%m-%d}"
        table.add_row(day, str(one.jobs), usd(one.reported_usd), usd(one.billed_usd))
    return table


def _table(first: str, *numbers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table
