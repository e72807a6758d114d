"""The running cloud: account, queues and workers together, with the loop that moves them on.
The routes call it; it knows no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
from pathlib import Path

from local_cloud.runpod.account import catalog
from local_cloud.runpod.account.state import Account, Endpoint, Store
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.ids import Ids
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.faults.scripted import Faults
from local_cloud.runpod.fleet import autoscaler
from local_cloud.runpod.fleet.faults import WorkerFaults
from local_cloud.runpod.fleet.fleet import Fleet
from local_cloud.runpod.fleet.lifecycle import Lifecycle
from local_cloud.runpod.fleet.meter import Meter
from local_cloud.runpod.fleet.parking import Parking
from local_cloud.runpod.images.copies import Copies
from local_cloud.runpod.images.registry import Images
from local_cloud.runpod.jobs.dispatch import Dispatcher
from local_cloud.runpod.jobs.webhooks import WebhookSender
from local_cloud.runpod.workers.launcher import Launcher
from local_cloud.runpod.workers.model import Worker

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """`base_url`: for workers and request URLs, without a trailing slash."""

    api_key: str
    base_url: str
    folder: Path
    images_file: Path | None = None
    seed: int | None = None


class Platform:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = Clock()
        self.settings = Settings()
        self.catalog = catalog.load()
        self.images = Images(options.images_file, Copies(options.folder / "images"))
        self.ids = Ids(random.Random(options.seed))  # noqa: S311 - identifiers of a local double
        self.faults = Faults()
        self._store = Store(options.folder)
        self.account: Account = self._store.load()
        self._join(options)
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = False
        self._saved_usage = len(self.account.usage)
        # Endpoint id -> virtual time of its last request or change, or of the start of this process.
        self._active_s: dict[str, float] = {}

    def _join(self, options: Options) -> None:
        """Connect jobs and workers: the dispatcher finds workers, and ended workers return their jobs to it."""
        workers: dict[str, Worker] = {}
        tasks = Tasks()
        self.webhooks = WebhookSender(clock=self.clock, ids=self.ids, faults=self.faults)
        self.dispatcher = Dispatcher(
            clock=self.clock,
            settings=self.settings,
            account=self.account,
            ids=self.ids,
            find_worker=workers.get,
            call_webhook=self.webhooks.send,
        )
        self.meter = Meter(clock=self.clock, account=self.account)
        self.worker_faults = WorkerFaults(clock=self.clock, settings=self.settings, faults=self.faults, tasks=tasks)
        self.lifecycle = Lifecycle(
            clock=self.clock,
            settings=self.settings,
            account=self.account,
            catalog=self.catalog,
            ids=self.ids,
            launcher=Launcher(
                settings=self.settings,
                account=self.account,
                images=self.images,
                folder=options.folder,
                base_url=options.base_url,
                now=self.clock.now,
            ),
            workers=workers,
            meter=self.meter,
            faults=self.worker_faults,
            tasks=tasks,
            on_lost=self.dispatcher.lose_worker,
        )
        self.fleet = Fleet(
            clock=self.clock,
            settings=self.settings,
            workers=workers,
            lifecycle=self.lifecycle,
            parking=Parking(
                clock=self.clock,
                settings=self.settings,
                account=self.account,
                workers=workers,
                meter=self.meter,
                tasks=tasks,
            ),
            tasks=tasks,
        )

    def save(self) -> None:
        self._store.save(self.account)
        self._saved_usage = len(self.account.usage)

    def new_id(self) -> str:
        """An id no object of the account has."""
        taken = self.account.endpoints.keys() | self.account.registries.keys()
        while (fresh := self.ids.object_id()) in taken:
            continue
        return fresh

    def put_endpoint(self, endpoint: Endpoint) -> None:
        self.account.endpoints[endpoint.id] = endpoint
        self._active_s[endpoint.id] = self.clock.now()
        self.save()
        self.scale(endpoint)

    def delete_endpoint(self, endpoint_id: str) -> None:
        self.dispatcher.forget_endpoint(endpoint_id)
        del self.account.endpoints[endpoint_id]
        self.fleet.end_endpoint(endpoint_id, "endpoint deleted")
        self.save()

    def requested(self, endpoint: Endpoint) -> None:
        """A job was submitted: the endpoint is in use and can need a worker."""
        self._active_s[endpoint.id] = self.clock.now()
        self.scale(endpoint)

    def scale(self, endpoint: Endpoint) -> None:
        """Run the autoscaler once for one endpoint."""
        if self._stopping:
            return
        waiting = self.dispatcher.queue(endpoint.id).waiting
        now_s = self.clock.now()
        waits_s = [now_s - job.submitted_s for job in waiting if not job.policy.low_priority]
        decision = autoscaler.decide(endpoint.spec, self.fleet.views(endpoint), waits_s, now_s)
        self.fleet.carry_out(endpoint, decision)

    def start(self) -> None:
        self._loop_task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Returns when every worker process is gone and the account is on disk."""
        self._stopping = True
        if self._loop_task is not None:
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task
        await self.webhooks.close()
        await self.fleet.end_all("the cloud stops")
        self.save()

    async def reset(self) -> None:
        """Back to an empty account, default settings, no faults; worker processes end first."""
        self._stopping = True
        for endpoint_id in tuple(self.account.endpoints):
            self.delete_endpoint(endpoint_id)
        await self.fleet.end_all("reset")
        self.account.clear()
        self.faults.clear()
        for name, value in Settings().model_dump().items():
            setattr(self.settings, name, value)
        self.clock.set_speed(1.0)
        self.save()
        self._stopping = False

    async def _run(self) -> None:
        while True:
            try:
                self.tick()
            except Exception:
                # A bug in one run must not stop all later runs.
                log.exception("an autoscaler run failed")
            await asyncio.sleep(self.settings.tick_s)

    def _cut_idle(self, endpoint: Endpoint) -> Endpoint:
        """The platform lowers `workers.max` of an unused endpoint; a refresh finds that as drift."""
        idle_s = self.clock.now() - self._active_s.setdefault(endpoint.id, self.clock.now())
        most = next((most for after_s, most in limits.IDLE_CUTS_S if idle_s >= after_s), None)
        if not self.settings.idle_scale_down or most is None or endpoint.spec.workers_max <= most:
            return endpoint
        spec = dataclasses.replace(endpoint.spec, workers_max=most, workers_min=min(most, endpoint.spec.workers_min))
        cut = self.account.endpoints[endpoint.id] = dataclasses.replace(endpoint, spec=spec)
        self.save()
        return cut

    def tick(self) -> None:
        self.dispatcher.enforce_times()
        self.fleet.enforce_times()
        for endpoint in tuple(self.account.endpoints.values()):
            self.scale(self._cut_idle(endpoint))
        if len(self.account.usage) != self._saved_usage:
            self.save()  # what workers cost survives a crash
