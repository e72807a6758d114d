"""The running cloud: account, queues and workers joined, with the loop that moves them on.
Never parses or writes HTTP; routes call it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
from collections import Counter
from pathlib import Path

import httpx

from . import autoscaler, catalog, limits
from .clock import Clock
from .copies import Copies
from .faults import Faults
from .ids import Ids
from .images import Images
from .jobs.dispatch import Dispatcher
from .jobs.webhooks import WebhookSender
from .management.rules import Context
from .settings import Settings
from .state import Account, Endpoint, Store
from .workers.fleet import Fleet
from .workers.launcher import Launcher

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """`base_url`: what workers and request URLs use, no trailing slash."""

    api_key: str
    base_url: str
    folder: Path
    images_file: Path | None = None
    seed: int | None = None


class Platform:
    def __init__(self, options: Options, clock: Clock | None = None) -> None:
        self.options = options
        self.clock = clock or Clock()
        self.settings = Settings()
        self.catalog = catalog.load()
        self.images = Images(options.images_file, Copies(options.folder / "images"))
        self.ids = Ids(random.Random(options.seed))  # noqa: S311 - identifiers of a local double
        self.faults = Faults()
        self._store = Store(options.folder)
        self.account: Account = self._store.load()
        self.fleet = Fleet(
            clock=self.clock,
            settings=self.settings,
            account=self.account,
            catalog=self.catalog,
            ids=self.ids,
            faults=self.faults,
            launcher=Launcher(
                settings=self.settings,
                account=self.account,
                images=self.images,
                folder=options.folder,
                base_url=options.base_url,
                now=self.clock.now,
            ),
        )
        self.webhooks = WebhookSender(
            clock=self.clock, ids=self.ids, faults=self.faults, client=lambda: httpx.AsyncClient(trust_env=False)
        )
        self.dispatcher = Dispatcher(
            clock=self.clock,
            settings=self.settings,
            account=self.account,
            ids=self.ids,
            find_worker=self.fleet.get,
            tell_webhook=self.webhooks.tell,
        )
        self.fleet.connect(self.dispatcher)
        # Requests to load balancing endpoints that no worker has taken yet; they queue nowhere else.
        self.waiting_requests: Counter[str] = Counter()
        self._loop_task: asyncio.Task[None] | None = None
        self._stopping = False
        self._saved_usage = len(self.account.usage)
        # Endpoint id -> virtual time of its last request or change; since the start when there was none.
        self._active_s: dict[str, float] = {}

    @property
    def rules_context(self) -> Context:
        return Context(account=self.account, catalog=self.catalog, images=self.images, settings=self.settings)

    def save(self) -> None:
        self._store.save(self.account)
        self._saved_usage = len(self.account.usage)

    def new_id(self) -> str:
        """An id no object of the account has."""
        taken = (
            self.account.endpoints.keys()
            | self.account.registries.keys()
            | self.account.secrets.keys()
            | self.account.volumes.keys()
        )
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
        """A job has been submitted: the endpoint is in use, and may need a worker."""
        self._active_s[endpoint.id] = self.clock.now()
        self.scale(endpoint)

    def scale(self, endpoint: Endpoint) -> None:
        """One look of the autoscaler at one endpoint."""
        if self._stopping:
            return
        board = self.dispatcher.board(endpoint.id)
        now_s = self.clock.now()
        demand = autoscaler.Demand(
            waits_s=[now_s - job.submitted_s for job in board.waiting if not job.policy.low_priority]
            + [0.0] * self.waiting_requests[endpoint.id],
            in_progress=board.in_progress + self.fleet.requests(endpoint.id),
        )
        decision = autoscaler.decide(endpoint.spec, self.fleet.views(endpoint), demand, now_s)
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
                # The loop is the heart of the cloud: a bug in one look must not stop all later ones.
                log.exception("autoscaler look failed")
            await asyncio.sleep(self.settings.tick_s)

    def _cut_idle(self, endpoint: Endpoint) -> Endpoint:
        """The platform's own change that a refresh finds as drift; it stays until somebody raises it again."""
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
