"""FlashBoot: stops the process group of an idle worker and continues it when the endpoint needs a worker.
A parked worker is not billed and does not count. How the platform does it is not documented."""

from __future__ import annotations

import dataclasses
import signal

from local_cloud.runpod.account.state import Account, Endpoint
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.fleet.meter import Meter
from local_cloud.runpod.workers.model import Phase, Worker

PARKED_MAX = 3  # per endpoint; guess
PARKED_FOR_S = 3600.0  # guess


@dataclasses.dataclass(kw_only=True, eq=False)
class Parking:
    clock: Clock
    settings: Settings
    account: Account
    workers: dict[str, Worker]
    meter: Meter
    tasks: Tasks

    def park(self, endpoint: Endpoint, worker: Worker) -> bool:
        """Park an idle worker. Returns False, without effect, when it has to end instead."""
        parked = len(self._parked(endpoint))
        if endpoint.spec.flashboot == "OFF" or worker.process is None or parked >= PARKED_MAX:
            return False
        self.meter.stop(worker)
        worker.phase = Phase.PARKED
        worker.log.system("idle: parked by FlashBoot")
        worker.process.signal_group(signal.SIGSTOP)
        worker.change.fire()  # its held poll is answered 400, as the SDK expects of FlashBoot
        return True

    def wake(self, endpoint: Endpoint) -> bool:
        """Wake a parked worker of the current release. Returns False when there is none."""
        for worker in self._parked(endpoint):
            if worker.version == endpoint.version:
                worker.phase = Phase.INITIALIZING
                self.tasks.spawn(self._continue(worker))
                return True
        return False

    def why_end(self, worker: Worker) -> str | None:
        """Why a parked worker has to end; None while it can stay parked."""
        endpoint = self.account.endpoints.get(worker.endpoint_id)
        if endpoint is None or worker.version != endpoint.version:
            return "parked with an old release"
        if endpoint.spec.flashboot == "OFF":
            return "parked, and FlashBoot was turned off"
        now_s = self.clock.now()
        if now_s - (worker.idle_since_s or now_s) > PARKED_FOR_S:
            return "parked for too long"
        return None

    def _parked(self, endpoint: Endpoint) -> list[Worker]:
        return [
            worker
            for worker in self.workers.values()
            if worker.endpoint_id == endpoint.id and worker.phase is Phase.PARKED
        ]

    async def _continue(self, worker: Worker) -> None:
        self.meter.start(worker)
        worker.last_ping_wall_s = None
        worker.log.system("waking from FlashBoot")
        await self.clock.sleep(self.settings.flashboot_start_delay_s)
        if worker.process is not None and worker.phase is Phase.INITIALIZING:
            worker.process.signal_group(signal.SIGCONT)
