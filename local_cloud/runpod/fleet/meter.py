"""The worker time that is billed: when a stretch starts and what it adds to the account.
Prices are in account/billing.py."""

from __future__ import annotations

import dataclasses

from local_cloud.runpod.account.billing import billed_end_s
from local_cloud.runpod.account.state import Account, Usage
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.workers.model import Worker


@dataclasses.dataclass(kw_only=True, eq=False)
class Meter:
    clock: Clock
    account: Account

    def start(self, worker: Worker) -> None:
        """From now on the worker is billed, and its start counts from now."""
        worker.started_s = worker.billed_from_s = self.clock.now()

    def stop(self, worker: Worker) -> None:
        """Add the stretch to the account; no effect while the worker is not billed."""
        usage = self.so_far(worker)
        if usage is not None:
            self.account.usage.append(usage)
        worker.billed_from_s = None

    def so_far(self, worker: Worker) -> Usage | None:
        """The stretch if it ended now; None while the worker is not billed."""
        if worker.billed_from_s is None:
            return None
        return Usage(
            endpoint_id=worker.endpoint_id,
            worker_id=worker.id,
            start_s=worker.billed_from_s,
            end_s=billed_end_s(worker.billed_from_s, self.clock.now()),
            gpu_usd_per_s=worker.placement.gpu_usd_per_s,
            disk_gb=worker.disk_gb,
        )
