"""How long jobs would wait, and what a load would cost: a replay of the autoscaler's rules on a virtual clock.
The rules are those of the RunPod stand-in, whose guesses docs/local-cloud-runpod.md lists. Pure."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from infra.settings.presets import ScalingPreset
from local_cloud.runpod.account.state import EndpointSpec, GpuSpec
from local_cloud.runpod.fleet.autoscaler import WorkerView, decide
from local_cloud.runpod.fleet.parking import PARKED_FOR_S, PARKED_MAX
from local_cloud.runpod.workers.model import Phase
from scripts.splat_cli.operate.figures import percentile
from scripts.splat_cli.operate.tables import Column, table
from scripts.splat_cli.show import seconds, usd

TICK_S = 1.0
HOURS = 12
SEED = 1


@dataclass(frozen=True, kw_only=True)
class Load:
    """jobs_per_h come at random times (Poisson). start_s: from the decision to start a worker until it takes a job.
    wake_s: the same for a worker that FlashBoot has parked; None without FlashBoot."""

    jobs_per_h: float
    job_s: float
    start_s: float
    wake_s: float | None = None
    queue_delay_s: float = 4.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """waits: seconds between submission and a worker. busy: share of the billed time in which jobs ran. unserved: jobs
    that still waited at the end."""

    jobs: int
    wait_p50_s: float
    wait_p95_s: float
    workers_most: int
    busy: float
    billed_s: float
    unserved: int
    hours: float

    def usd_per_h(self, usd_per_s: float) -> float:
        return self.billed_s * usd_per_s / self.hours

    def usd_per_job(self, usd_per_s: float) -> float:
        return self.billed_s * usd_per_s / self.jobs if self.jobs else 0.0


@dataclass(kw_only=True)
class _Worker:
    id: str
    ready_at: float
    idle_since: float | None = None
    busy_until: float | None = None


@dataclass(kw_only=True)
class _Replay:
    """The state of a replay. Times in virtual seconds."""

    spec: EndpointSpec
    load: Load
    workers: list[_Worker] = field(default_factory=list)
    parked: list[float] = field(default_factory=list)  # since when each parked worker is idle
    queue: deque[float] = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)
    billed_s: float = 0.0
    busy_s: float = 0.0
    most: int = 0
    started: int = 0

    def step(self, now: float) -> None:
        """One tick: jobs end, workers become ready and take jobs, then the autoscaler decides."""
        for one in self.workers:
            if one.busy_until is not None and one.busy_until <= now:
                one.idle_since, one.busy_until = one.busy_until, None
            if one.idle_since is None and one.busy_until is None and one.ready_at <= now:
                one.idle_since = one.ready_at
        for one in self.workers:
            if self.queue and one.idle_since is not None and one.busy_until is None:
                self.waits.append(now - self.queue.popleft())
                one.busy_until, one.idle_since = now + self.load.job_s, None
        decision = decide(self.spec, [self._view(one) for one in self.workers], [now - at for at in self.queue], now)
        self._park(decision.idle, now)
        gone = {*(name for name, _ in decision.end), *decision.idle}
        self.workers = [one for one in self.workers if one.id not in gone]
        for _ in range(decision.start):
            self.started += 1
            self.workers.append(_Worker(id=f"w{self.started}", ready_at=now + self._start_s()))
        self.most = max(self.most, len(self.workers))
        self.billed_s += TICK_S * len(self.workers)
        self.busy_s += TICK_S * sum(one.busy_until is not None for one in self.workers)

    def _park(self, idle: Sequence[str], now: float) -> None:
        """FlashBoot keeps some idle workers for a while, unbilled."""
        self.parked = [since for since in self.parked if now - since <= PARKED_FOR_S]
        if self.load.wake_s is not None:
            since = [one.idle_since for one in self.workers if one.id in idle and one.idle_since is not None]
            self.parked += since[: PARKED_MAX - len(self.parked)]

    def _start_s(self) -> float:
        """Seconds until the next worker that is started is ready: a parked one wakes."""
        if self.load.wake_s is None or not self.parked:
            return self.load.start_s
        self.parked.pop(0)
        return self.load.wake_s

    def _view(self, one: _Worker) -> WorkerView:
        ready = one.idle_since is not None or one.busy_until is not None
        return WorkerView(
            id=one.id,
            phase=Phase.READY if ready else Phase.INITIALIZING,
            busy=one.busy_until is not None,
            stale=False,
            draining=False,
            idle_since_s=one.idle_since,
        )


def arrivals(jobs_per_h: float, hours: float, *, seed: int = SEED) -> list[float]:
    """Times of submission in seconds, at random with this mean. The same seed gives the same times."""
    # A plain generator: nothing here is secret.
    dice = random.Random(seed)  # noqa: S311
    times: list[float] = []
    at = dice.expovariate(jobs_per_h / 3600)
    while at < hours * 3600:
        times.append(at)
        at += dice.expovariate(jobs_per_h / 3600)
    return times


def replay(load: Load, scaling: ScalingPreset, times: Sequence[float], *, hours: float = HOURS) -> Outcome:
    """Runs `hours` of the load through the autoscaler. times: of submission, ascending."""
    replayed = _Replay(spec=_spec(scaling, load.queue_delay_s), load=load)
    coming = deque(times)
    for tick in range(round(hours * 3600 / TICK_S)):
        now = tick * TICK_S
        while coming and coming[0] <= now:
            replayed.queue.append(coming.popleft())
        replayed.step(now)
    waits = replayed.waits or [0.0]
    return Outcome(
        jobs=len(replayed.waits),
        wait_p50_s=percentile(waits, 50),
        wait_p95_s=percentile(waits, 95),
        workers_most=replayed.most,
        busy=replayed.busy_s / replayed.billed_s if replayed.billed_s else 0.0,
        billed_s=replayed.billed_s,
        unserved=len(replayed.queue),
        hours=hours,
    )


def _spec(scaling: ScalingPreset, queue_delay_s: float) -> EndpointSpec:
    """An endpoint with these numbers; the rest plays no role in the autoscaler's rules."""
    return EndpointSpec(
        name="",
        image="",
        args="",
        disk_gb=1,
        ports=(),
        env={},
        registry=None,
        gpu=GpuSpec(pools=()),
        workers_min=scaling.workers_min,
        workers_max=scaling.workers_max,
        idle_timeout_s=scaling.idle_timeout_s,
        queue_delay_s=queue_delay_s,
        data_center_ids=(),
        timeout_ms=0,
        flashboot="OFF",
    )


@dataclass(frozen=True, kw_only=True)
class Row:
    scaling: str
    gpu: str
    job_s: float
    usd_per_h: float
    usd_per_job: float
    outcome: Outcome


COLUMNS = (
    Column(name="scaling"),
    Column(name="card"),
    Column(name="job", right=True, drop=2),
    Column(name="wait p50", right=True),
    Column(name="wait p95", right=True),
    Column(name="workers", right=True, drop=1),
    Column(name="busy", right=True, drop=3),
    Column(name="per job", right=True),
    Column(name="per hour", right=True),
    Column(name="unserved", right=True, drop=4),
)


def capacity_table(found: Iterable[Row], *, width: int) -> Table:
    """A line per scaling preset and card. workers: the most at once. unserved: jobs that still wait at the end."""
    rows = []
    for one in found:
        result = one.outcome
        rows.append(
            (
                one.scaling,
                one.gpu,
                seconds(round(one.job_s)),
                seconds(round(result.wait_p50_s)),
                seconds(round(result.wait_p95_s)),
                str(result.workers_most),
                f"{result.busy:.0%}",
                usd(one.usd_per_job),
                usd(one.usd_per_h),
                str(result.unserved),
            )
        )
    return table(COLUMNS, rows, width=width)


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [asdict(one) for one in rows]
