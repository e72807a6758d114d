"""Scripted faults that hit workers: throttled starts, starts that never finish, kills in the middle of a job.
faults/scripted.py decides which fault strikes."""

from __future__ import annotations

import asyncio
import dataclasses
import signal

from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.faults.scripted import Faults, Kind
from local_cloud.runpod.workers.model import Phase, Worker


@dataclasses.dataclass(kw_only=True, eq=False)
class WorkerFaults:
    clock: Clock
    settings: Settings
    faults: Faults
    tasks: Tasks

    async def throttle(self, worker: Worker) -> None:
        """Returns when no throttle strikes any more, or when the worker was ended meanwhile."""
        while worker.phase is not Phase.ENDING and self.faults.strike(Kind.WORKER_THROTTLED, worker.endpoint_id):
            worker.phase = Phase.THROTTLED
            worker.log.system("throttled: waiting for compute capacity")
            await self.clock.sleep(self.settings.throttled_s)

    def never_starts(self, worker: Worker) -> bool:
        return self.faults.strike(Kind.WORKER_NEVER_STARTS, worker.endpoint_id) is not None

    def job_taken(self, worker: Worker) -> None:
        fault = self.faults.strike(Kind.WORKER_KILLED, worker.endpoint_id)
        if fault is not None:
            self.tasks.spawn(_kill_after(worker, fault.after_s))


async def _kill_after(worker: Worker, real_s: float) -> None:
    await asyncio.sleep(real_s)
    if worker.process is not None:
        worker.log.system("killed by a scripted fault")
        worker.process.signal_group(signal.SIGKILL)
