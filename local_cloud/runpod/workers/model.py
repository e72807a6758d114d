"""The record of one worker: where it is placed, what it runs, what it is busy with.
Never acts; fleet.py starts, parks and ends workers."""

from __future__ import annotations

import asyncio
import dataclasses
from enum import StrEnum

from ..jobs.board import Signal
from .logs import WorkerLog
from .processes import WorkerProcess


class Phase(StrEnum):
    THROTTLED = "THROTTLED"
    INITIALIZING = "INITIALIZING"
    READY = "READY"  # polled for a job at least once; IDLE or RUNNING outside
    UNHEALTHY = "UNHEALTHY"
    PARKED = "PARKED"  # FlashBoot: stopped, kept, not billed, not a worker to the outside
    ENDING = "ENDING"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    gpu_type_id: str | None
    gpu_count: int
    data_center_id: str
    gpu_usd_per_s: float
    cpu_usd_per_s: float


@dataclasses.dataclass(kw_only=True, eq=False)
class Worker:
    """`*_s` are virtual unix seconds, `*_wall_s` real monotonic ones."""

    id: str
    endpoint_id: str
    version: int
    image: str
    disk_gb: int
    placement: Placement
    key: str
    created_s: float
    log: WorkerLog
    phase: Phase = Phase.INITIALIZING
    started_s: float | None = None
    billed_from_s: float | None = None
    idle_since_s: float | None = None
    last_ping_wall_s: float | None = None
    # Jobs it was given and has not answered.
    jobs: set[str] = dataclasses.field(default_factory=set)
    # Cancelled or timed-out jobs it may still be busy with -> when patience ends.
    stopping: dict[str, float] = dataclasses.field(default_factory=dict)
    stop_signals: list[str] = dataclasses.field(default_factory=list)
    stop_again_wall_s: float = 0.0
    draining: bool = False
    process: WorkerProcess | None = None
    # The start under way, if any: whoever ends the worker has to wait for it, or it would be left over.
    starting: asyncio.Task[WorkerProcess] | None = None
    # Of a load balancing endpoint: where its own server listens, and whether its health check passes.
    port: int | None = None
    healthy: bool = True
    # Its end is already arranged: it stays visible as UNHEALTHY for a while.
    doomed: bool = False
    change: Signal = dataclasses.field(default_factory=Signal)

    @property
    def busy(self) -> bool:
        return bool(self.jobs or self.stopping)

    @property
    def status(self) -> str:
        """The published worker status; a worker that ends still counts as what it was last."""
        if self.phase is Phase.READY:
            if not self.healthy:
                return Phase.UNHEALTHY.value
            return "RUNNING" if self.busy else "IDLE"
        if self.phase is Phase.ENDING:
            return "RUNNING" if self.busy else "IDLE"
        return self.phase.value
