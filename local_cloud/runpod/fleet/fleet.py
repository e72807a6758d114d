"""All workers: finds them, carries out what the autoscaler decides, and enforces their time limits.
lifecycle.py starts and ends the single worker, parking.py parks and wakes it."""

from __future__ import annotations

import asyncio
import dataclasses

from local_cloud.runpod.account.state import Endpoint
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.fleet.autoscaler import Decision, WorkerView
from local_cloud.runpod.fleet.lifecycle import Lifecycle
from local_cloud.runpod.fleet.parking import Parking
from local_cloud.runpod.workers.model import Phase, Worker


@dataclasses.dataclass(kw_only=True, eq=False)
class Fleet:
    clock: Clock
    settings: Settings
    workers: dict[str, Worker]
    lifecycle: Lifecycle
    parking: Parking
    tasks: Tasks

    def get(self, worker_id: str) -> Worker | None:
        return self.workers.get(worker_id)

    def all(self) -> tuple[Worker, ...]:
        return tuple(self.workers.values())

    def of_endpoint(self, endpoint_id: str) -> list[Worker]:
        """Workers that count: neither parked nor ending."""
        return [
            worker
            for worker in self.workers.values()
            if worker.endpoint_id == endpoint_id and worker.phase not in (Phase.PARKED, Phase.ENDING)
        ]

    def views(self, endpoint: Endpoint) -> list[WorkerView]:
        return [
            WorkerView(
                id=worker.id,
                phase=worker.phase,
                busy=worker.busy,
                stale=worker.version != endpoint.version,
                draining=worker.draining,
                idle_since_s=worker.idle_since_s,
            )
            for worker in self.of_endpoint(endpoint.id)
        ]

    def carry_out(self, endpoint: Endpoint, decision: Decision) -> None:
        for worker_id, reason in decision.end:
            self.lifecycle.end(self.workers[worker_id], reason)
        for worker_id in decision.drain:
            worker = self.workers[worker_id]
            worker.draining = True
            worker.log.system("takes no more jobs; ends after the current job")
        for worker_id in decision.idle:
            worker = self.workers[worker_id]
            if not self.parking.park(endpoint, worker):
                self.lifecycle.end(worker, "idle")
        for _ in range(decision.start):
            if not self.parking.wake(endpoint):
                self.lifecycle.create(endpoint)

    def end_endpoint(self, endpoint_id: str, reason: str) -> None:
        for worker in self.all():
            if worker.endpoint_id == endpoint_id:
                self.lifecycle.end(worker, reason)
        self.lifecycle.forget_failures(endpoint_id)

    async def end_all(self, reason: str) -> None:
        """Returns when no worker process is left."""
        for worker in self.all():
            self.lifecycle.end(worker, reason)
        while self.workers:
            await asyncio.sleep(0.02)
        await self.tasks.cancel()

    def enforce_times(self) -> None:
        """Ends workers that never came up, went silent, do not stop a job, or were parked for too long."""
        for worker in self.all():
            if worker.phase is Phase.INITIALIZING:
                self._enforce_start(worker)
            elif worker.phase is Phase.READY:
                self._enforce_signs_of_life(worker)
            elif worker.phase is Phase.PARKED and (reason := self.parking.why_end(worker)):
                self.lifecycle.end(worker, reason)

    def _enforce_start(self, worker: Worker) -> None:
        if worker.started_s is not None and self.clock.now() - worker.started_s > self.settings.init_timeout_s:
            self.lifecycle.fail(worker, "did not ask for a job in time")

    def _enforce_signs_of_life(self, worker: Worker) -> None:
        wall_s = self.clock.wall_s()
        silent_s = wall_s - (worker.last_ping_wall_s or wall_s)
        if silent_s > self.settings.lost_after_s:
            self.lifecycle.end(worker, f"lost: no ping for {silent_s:.0f} s")
        elif any(deadline <= wall_s for deadline in worker.stopping.values()):
            self.lifecycle.end(worker, "did not stop a cancelled or timed-out job")
        elif worker.stopping and worker.stop_again_wall_s <= wall_s:
            worker.stop_signals = sorted(worker.stopping)
            worker.stop_again_wall_s = wall_s + limits.STOP_REPEAT_S
            worker.change.fire()
