"""The life of single workers: created, started, watched, failed, ended.
The fleet decides how many there are; jobs are touched only through `on_lost`."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from local_cloud.runpod.account.catalog import Catalog
from local_cloud.runpod.account.state import Account, Endpoint
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.ids import Ids
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.fleet.faults import WorkerFaults
from local_cloud.runpod.fleet.meter import Meter
from local_cloud.runpod.workers.launcher import START_ERRORS, Launcher
from local_cloud.runpod.workers.model import Phase, Worker, place
from local_cloud.runpod.workers.process import WorkerProcess

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0


@dataclasses.dataclass(kw_only=True, eq=False)
class Lifecycle:
    """`workers` holds every worker from its creation until its process group is gone.

    on_lost: takes the jobs of a worker that ended or failed back.
    """

    clock: Clock
    settings: Settings
    account: Account
    catalog: Catalog
    ids: Ids
    launcher: Launcher
    workers: dict[str, Worker]
    meter: Meter
    faults: WorkerFaults
    tasks: Tasks
    on_lost: Callable[[Worker], None]
    # Endpoint id -> failures since its last finished job.
    _failures: dict[str, int] = dataclasses.field(default_factory=dict)

    def create(self, endpoint: Endpoint) -> None:
        """A new worker of the endpoint's latest release; it starts in the background."""
        worker_id = self.ids.object_id()
        worker = Worker(
            id=worker_id,
            endpoint_id=endpoint.id,
            version=endpoint.version,
            image=endpoint.spec.image,
            disk_gb=endpoint.spec.disk_gb,
            placement=place(endpoint.spec, self.catalog),
            key=self.ids.key(),
            created_s=self.clock.now(),
            log=self.launcher.log(endpoint.id, worker_id),
        )
        self.workers[worker.id] = worker
        self.tasks.spawn(self._start(endpoint, worker))

    def end(self, worker: Worker, reason: str) -> None:
        """Ends the process group in the background; its jobs are dispatched again."""
        if worker.phase is Phase.ENDING:
            return
        self.meter.stop(worker)
        worker.phase = Phase.ENDING
        worker.log.system(f"ending: {reason}")
        worker.change.fire()
        self.on_lost(worker)
        self.tasks.spawn(self._remove(worker))

    def fail(self, worker: Worker, reason: str) -> None:
        """The worker stays visible as UNHEALTHY for a pause that doubles, so that a broken image does not spin."""
        failures = self._failures[worker.endpoint_id] = self._failures.get(worker.endpoint_id, 0) + 1
        self.meter.stop(worker)
        worker.phase = Phase.UNHEALTHY
        worker.doomed = True
        worker.log.system(f"unhealthy: {reason}")
        self.on_lost(worker)
        self.tasks.spawn(self._end_after(worker, min(BACKOFF_FIRST_S * 2 ** (failures - 1), BACKOFF_MAX_S)))

    def polled(self, worker: Worker) -> None:
        """A worker is ready when it asks for its first job."""
        if worker.phase is Phase.INITIALIZING:
            worker.phase = Phase.READY
            worker.idle_since_s = self.clock.now()
            worker.log.system("ready")

    def job_done(self, worker: Worker) -> None:
        self._failures.pop(worker.endpoint_id, None)
        if worker.draining and not worker.busy:
            self.end(worker, "replaced after its last job")

    def failed_its_check(self, worker: Worker, reason: str) -> None:
        """Its own fitness check failed; its last ping reports why."""
        if worker.phase in (Phase.INITIALIZING, Phase.READY):
            self.fail(worker, reason)

    def forget_failures(self, endpoint_id: str) -> None:
        self._failures.pop(endpoint_id, None)

    async def _start(self, endpoint: Endpoint, worker: Worker) -> None:
        await self.faults.throttle(worker)
        if worker.phase is Phase.ENDING:
            return
        worker.phase = Phase.INITIALIZING
        self.meter.start(worker)
        worker.log.system(f"starting {worker.image} (release {worker.version})")
        if self.faults.never_starts(worker):
            return
        await self.clock.sleep(self.settings.start_delay_s)
        if worker.phase is not Phase.INITIALIZING or endpoint.id not in self.account.endpoints:
            return
        try:
            worker.starting = asyncio.create_task(self.launcher.start(endpoint, worker))
            worker.process = await asyncio.shield(worker.starting)
        except START_ERRORS as error:
            self.fail(worker, f"cannot be started: {error}")
            return
        self.tasks.spawn(self._watch(worker, worker.process))

    async def _watch(self, worker: Worker, process: WorkerProcess) -> None:
        status = await process.wait()
        # As a container ends with its first process, the rest of the group ends with the leader.
        await process.end(0.0)
        if worker.doomed or worker.phase is Phase.ENDING:
            return
        if status == 0 or worker.phase is Phase.PARKED:
            self.end(worker, "its process exited")
        else:
            self.fail(worker, f"its process exited with status {status}")

    async def _end_after(self, worker: Worker, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.end(worker, "replaced after a failure")

    async def _remove(self, worker: Worker) -> None:
        try:
            await self.launcher.end(worker)
        finally:
            self.workers.pop(worker.id, None)
