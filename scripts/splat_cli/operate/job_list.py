"""Attempts as rows and details: filters, durations, prices, reasons per photo. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.table import Table

from scripts.splat_cli.edge_client import Job, Project
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.tables import Column, table
from scripts.splat_cli.show import STAGE_WORDS, own_names, report_rows, seconds, usd

STATES = ("queued", "running", "done", "failed", "cancelled")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which attempts are wanted; an empty set or None wants all. since: submitted at this time or later."""

    states: frozenset[str] = frozenset()
    presets: frozenset[str] = frozenset()
    since: datetime | None = None

    def keeps(self, job: Job) -> bool:
        return (not self.states or job.state in self.states) and (not self.presets or job.preset in self.presets)


def read_states(given: Sequence[str]) -> frozenset[str]:
    """States of an option, or CommandError for one that does not exist."""
    for state in given:
        if state not in STATES:
            raise CommandError(f"There is no state {state!r}.", hint=f"choose one of {', '.join(STATES)}")
    return frozenset(given)


def read_age(text: str) -> timedelta:
    """A duration such as 90m, 24h or 7d. Raises CommandError."""
    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if found is None:
        raise CommandError(f"{text!r} is not a duration.", hint="for example 90m, 24h or 7d")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def select(jobs: Iterable[Job], wanted: Filter, *, limit: int | None = None) -> Iterator[Job]:
    """Up to `limit` jobs that pass, from jobs newest first. Reads no further than it must."""
    found = 0
    for job in jobs:
        if found == limit or (wanted.since is not None and job.submitted_at < wanted.since):
            return
        if wanted.keeps(job):
            found += 1
            yield job


def waited_s(job: Job, now: datetime) -> float | None:
    """Seconds between submission and the worker's first sign; of a queued job until now. None where unknown."""
    until = job.started_at or (now if job.state == "queued" else None)
    return None if until is None else (until - job.submitted_at).total_seconds()


def ran_s(job: Job, now: datetime) -> float | None:
    """Seconds that a worker was busy: what it reported, or else the time since its start. None before it began."""
    if job.seconds is not None:
        return job.seconds
    if job.started_at is None:
        return None
    return ((job.ended_at or now) - job.started_at).total_seconds()


COLUMNS = (
    Column(name="id"),
    Column(name="state"),
    Column(name="submitted"),
    Column(name="preset", drop=3),
    Column(name="photos", right=True, drop=4),
    Column(name="waited", right=True, drop=2),
    Column(name="ran", right=True),
    Column(name="price", right=True),
    Column(name="name", drop=1, elastic=True),
)


def jobs_table(jobs: Sequence[Job], now: datetime, *, width: int) -> Table:
    """One line per attempt. width: of the terminal, in characters."""
    rows = []
    for job in jobs:
        waited, ran = waited_s(job, now), ran_s(job, now)
        rows.append(
            (
                job.project_id if job.attempt == 1 else f"{job.project_id} #{job.attempt}",
                job.state or "deleted",
                f"{job.submitted_at:%m-%d %H:%M}"
                if job.submitted_at.year == now.year
                else f"{job.submitted_at:%Y-%m-%d}",
                job.preset,
                str(job.photos),
                "" if waited is None else seconds(round(waited)),
                "" if ran is None else seconds(round(ran)),
                usd(job.usd) if job.ended_at else f"~{usd(job.usd)}",
                job.name or "(deleted)",
            )
        )
    return table(COLUMNS, rows, width=width)


def detail_rows(
    project: Project, attempts: Sequence[Job], names: Mapping[str, str], now: datetime
) -> list[tuple[str, str]]:
    """Label and value of everything about one project's jobs. attempts: newest first. names: the user's file names by
    the service's."""
    rows = [("State", project.state)]
    if project.progress is not None and not project.is_final:
        left = f", {seconds(round(project.progress.eta_s))} left" if project.progress.eta_s else ""
        stage = STAGE_WORDS.get(project.progress.stage, project.progress.stage)
        rows.append(("Stage", f"{stage}, {project.progress.fraction:.0%}{left}"))
    rows.append(("Photos", f"{project.photos.count}, {project.photos.bytes / 1e6:.1f} MB"))
    for job in attempts:
        rows.append((f"Attempt {job.attempt}", _attempt_words(job, now)))
    if project.error is not None:
        where = f" while {STAGE_WORDS.get(project.error.stage, project.error.stage)}" if project.error.stage else ""
        rows.append(("Error", f"{own_names(project.error.message, names)} [{project.error.code}{where}]"))
        if project.error.hint:
            rows.append(("  advice", own_names(project.error.hint, names)))
    if project.report is not None:
        rows += report_rows(project.report)
        for item in project.report["photos"].get("rejected", []):
            rows.append(("  left out", f"{names.get(item['name'], item['name'])}: {item['reason']} [{item['code']}]"))
        rows += [("  note", str(words)) for words in project.report.get("warnings", [])]
    return rows


def _attempt_words(job: Job, now: datetime) -> str:
    waited, ran = waited_s(job, now), ran_s(job, now)
    parts = [f"{job.state or 'deleted'}, {job.preset}, submitted {job.submitted_at:%Y-%m-%d %H:%M} UTC"]
    if waited is not None:
        parts.append(f"waited {seconds(round(waited))}")
    if ran is not None:
        parts.append(f"ran {seconds(round(ran))}")
    parts.append(usd(job.usd) if job.ended_at else f"{usd(job.usd)} reserved")
    return ", ".join(parts)
