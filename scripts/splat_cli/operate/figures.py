"""What a deployment does and costs right now, from its jobs, its metrics and its workers. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from scripts.splat_cli.edge_client import Job, Metrics, Project, Rate
from scripts.splat_cli.operate.job_list import waited_s

STATES = ("running", "idle", "initializing", "throttled", "unhealthy")
# A throttled worker waits for a card and costs nothing.
BILLED = frozenset({"running", "idle", "initializing"})
DAY = timedelta(days=1)
FAILURES_SHOWN = 3
STAGES_MAX_AGE = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One worker as RunPod lists it. gpu: its card's name, "" before it has one."""

    id: str
    state: str
    gpu: str
    gpus: int
    uptime_s: float | None


@dataclass(frozen=True, kw_only=True)
class Running:
    """A job that waits or runs. left_s: the worker's own estimate; None where it gives none."""

    project_id: str
    name: str
    state: str
    stage: str
    fraction: float
    left_s: float | None
    waited_s: float | None


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """Seconds of a stage in jobs that succeeded: median, and the time that 95 % stay below."""

    stage: str
    jobs: int
    p50_s: float
    p95_s: float


@dataclass(frozen=True, kw_only=True)
class FailedJob:
    project_id: str
    name: str
    at: datetime | None
    message: str
    advice: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """workers: None where only RunPod's counts are known. success: share of the ended jobs of a day; None without."""

    at: datetime
    counts: Mapping[str, int]
    workers: tuple[Worker, ...] | None
    running: tuple[Running, ...]
    oldest_wait_s: float | None
    ended_last_hour: int
    ended_last_day: int
    success: float | None
    stages: tuple[StageTime, ...]
    usd_per_h: float
    usd_today: float
    usd_month: float
    usd_reserved: float
    usd_budget: float
    failures: tuple[FailedJob, ...]
    stopped: str | None
    failed_starts: int

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat(), "failures": [_plain(one) for one in self.failures]}


def read_workers(answer: Mapping[str, Any], names: Mapping[str, str]) -> tuple[Worker, ...]:
    """The workers of RunPod's answer. names: a card's usual name by its id."""
    return tuple(
        Worker(
            id=str(one["id"]),
            state=str(one["status"]).lower(),
            gpu=names.get(str(one.get("gpuTypeId") or ""), str(one.get("gpuTypeId") or "")),
            gpus=int(one.get("gpuCount") or 1),
            uptime_s=one.get("uptimeSeconds"),
        )
        for one in answer["workers"]
    )


def snapshot(
    jobs: Sequence[Job],
    projects: Mapping[str, Project],
    metrics: Metrics,
    workers: tuple[Worker, ...] | None,
    *,
    rate: Rate,
    now: datetime,
) -> Snapshot:
    """jobs: newest first, at least those of a week. projects: those that wait or run, by id."""
    active = [one for one in jobs if one.state in ("queued", "running")]
    ended = [one for one in jobs if one.ended_at is not None and now - one.ended_at < DAY]
    judged = [one for one in ended if one.state in ("done", "failed")]
    waits = [wait for one in active if one.state == "queued" and (wait := waited_s(one, now)) is not None]
    counts = _counts(metrics, workers)
    billed = sum(one.gpus for one in workers if one.state in BILLED) if workers is not None else _billed(counts)
    return Snapshot(
        at=now,
        counts=counts,
        workers=workers,
        running=tuple(_running(one, projects.get(one.project_id), now) for one in active),
        oldest_wait_s=max(waits, default=None),
        ended_last_hour=sum(now - one.ended_at < timedelta(hours=1) for one in ended if one.ended_at),
        ended_last_day=len(ended),
        success=sum(one.state == "done" for one in judged) / len(judged) if judged else None,
        stages=stage_times([one for one in jobs if now - one.submitted_at < STAGES_MAX_AGE]),
        usd_per_h=billed * rate.usd_per_s * 3600,
        usd_today=metrics.spend.today_usd,
        usd_month=metrics.spend.month_usd,
        usd_reserved=metrics.spend.reserved_usd,
        usd_budget=metrics.spend.budget_usd,
        failures=tuple(_failure(one) for one in jobs if one.state == "failed")[:FAILURES_SHOWN],
        stopped=None if metrics.stopped is None else metrics.stopped.reason,
        failed_starts=metrics.failed_starts,
    )


def stage_times(jobs: Sequence[Job]) -> tuple[StageTime, ...]:
    """Per stage in the order of a job, over those that succeeded."""
    found: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        for one in job.stages if job.state == "done" else ():
            found[one.stage].append(one.seconds)
    return tuple(
        StageTime(stage=stage, jobs=len(times), p50_s=percentile(times, 50), p95_s=percentile(times, 95))
        for stage, times in found.items()
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of at least one value: it is one of them."""
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def _counts(metrics: Metrics, workers: tuple[Worker, ...] | None) -> dict[str, int]:
    if workers is not None:
        return {state: sum(one.state == state for one in workers) for state in STATES}
    known = metrics.runpod.workers if metrics.runpod is not None else {}
    return {state: known.get(state, 0) for state in STATES}


def _billed(counts: Mapping[str, int]) -> int:
    return sum(counts[state] for state in BILLED)


def _running(job: Job, project: Project | None, now: datetime) -> Running:
    progress = project.progress if project is not None and job.state == "running" else None
    return Running(
        project_id=job.project_id,
        name=job.name or "(deleted)",
        state=job.state or "",
        stage=progress.stage if progress else (job.state or ""),
        fraction=progress.fraction if progress else 0.0,
        left_s=progress.eta_s if progress else None,
        waited_s=waited_s(job, now),
    )


def _failure(job: Job) -> FailedJob:
    return FailedJob(
        project_id=job.project_id,
        name=job.name or "(deleted)",
        at=job.ended_at,
        message=job.error.message if job.error else "A later attempt replaced it.",
        advice=(job.error.hint or "") if job.error else "",
    )


def _plain(one: FailedJob) -> dict[str, Any]:
    return {**asdict(one), "at": None if one.at is None else one.at.isoformat()}
