"""The record of one worker: where it is placed, what it runs, which jobs it holds.
Data only; fleet/ starts, parks and ends workers."""

from __future__ import annotations

import asyncio
import dataclasses
from enum import StrEnum

from local_cloud.runpod.account.catalog import Catalog
from local_cloud.runpod.account.state import EndpointSpec
from local_cloud.runpod.core.signal import Signal
from local_cloud.runpod.workers.logs import WorkerLog
from local_cloud.runpod.workers.process import WorkerProcess

DEFAULT_DATA_CENTER = "US-KS-2"


class Phase(StrEnum):
    THROTTLED = "THROTTLED"
    INITIALIZING = "INITIALIZING"
    READY = "READY"  # polled for a job at least once; the API shows IDLE or RUNNING
    UNHEALTHY = "UNHEALTHY"
    PARKED = "PARKED"  # stopped by FlashBoot: not billed, and no worker to the API
    ENDING = "ENDING"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    gpu_type_id: str
    gpu_count: int
    data_center_id: str
    gpu_usd_per_s: float  # for all GPUs of the worker, at the rate when it was placed


def place(spec: EndpointSpec, catalog: Catalog) -> Placement:
    """The first GPU type of the pools, in the first data centre that the endpoint allows."""
    gpu = catalog.selection(spec.gpu.pools, spec.gpu.excluded_types)[0]
    return Placement(
        gpu_type_id=gpu.id,
        gpu_count=spec.gpu.count,
        data_center_id=next(iter(spec.data_center_ids), DEFAULT_DATA_CENTER),
        gpu_usd_per_s=(gpu.serverless_usd_per_s or 0.0) * spec.gpu.count,
    )


@dataclasses.dataclass(kw_only=True, eq=False)
class Worker:
    """`*_s` are virtual unix seconds, `*_wall_s` real monotonic seconds."""

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
    # Jobs that it took and has not answered.
    jobs: set[str] = dataclasses.field(default_factory=set)
    # Cancelled or timed-out jobs that it may still run -> when it has to have stopped.
    stopping: dict[str, float] = dataclasses.field(default_factory=dict)
    stop_signals: list[str] = dataclasses.field(default_factory=list)
    stop_again_wall_s: float = 0.0
    draining: bool = False
    process: WorkerProcess | None = None
    # The start under way, if any: ending the worker waits for it, or its process would be orphaned.
    starting: asyncio.Task[WorkerProcess] | None = None
    # It failed and stays visible as UNHEALTHY for a while before it ends.
    doomed: bool = False
    change: Signal = dataclasses.field(default_factory=Signal)

    @property
    def busy(self) -> bool:
        return bool(self.jobs or self.stopping)

    @property
    def status(self) -> str:
        """The published worker status; a worker that ends still counts as running or idle."""
        if self.phase in (Phase.READY, Phase.ENDING):
            return "RUNNING" if self.busy else "IDLE"
        return self.phase.value
