"""Carries out what the autoscaler decides: places, starts, parks, wakes, watches and ends workers.
Never decides how many; never touches a job but through the dispatcher."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterable
from http import HTTPStatus

import httpx

from .. import limits
from ..autoscaler import Decision, WorkerView
from ..billing import billed_end_s
from ..catalog import Catalog
from ..clock import Clock
from ..faults import Faults, Kind
from ..ids import Ids
from ..jobs.board import Signal
from ..jobs.dispatch import Dispatcher
from ..settings import Settings
from ..state import Account, Endpoint, Usage
from .environment import health_path
from .launcher import START_ERRORS, Launcher
from .model import Phase, Worker
from .placement import place
from .processes import WorkerProcess

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
PARKED_MAX = 3  # per endpoint; how many FlashBoot really keeps is not documented
PARKED_FOR_S = 3600.0


class Fleet:
    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        account: Account,
        catalog: Catalog,
        ids: Ids,
        faults: Faults,
        launcher: Launcher,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._account = account
        self._catalog = catalog
        self._ids = ids
        self._faults = faults
        self._launcher = launcher
        self._workers: dict[str, Worker] = {}
        self._crashes: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._dispatcher: Dispatcher | None = None
        # Fires when a worker of a load balancing endpoint has become routable.
        self.change = Signal()
        self._last_ticket = 0

    def connect(self, dispatcher: Dispatcher) -> None:
        """The dispatcher finds workers here, and the fleet tells it about lost ones."""
        self._dispatcher = dispatcher

    def get(self, worker_id: str) -> Worker | None:
        return self._workers.get(worker_id)

    def of_endpoint(self, endpoint_id: str) -> list[Worker]:
        """Workers that count: neither parked nor ending."""
        return [
            one
            for one in self._workers.values()
            if one.endpoint_id == endpoint_id and one.phase not in (Phase.PARKED, Phase.ENDING)
        ]

    def all(self) -> Iterable[Worker]:
        return tuple(self._workers.values())

    def views(self, endpoint: Endpoint) -> list[WorkerView]:
        return [
            WorkerView(
                id=one.id,
                phase=one.phase,
                busy=one.busy,
                stale=one.version != endpoint.version,
                draining=one.draining,
                idle_since_s=one.idle_since_s,
            )
            for one in self.of_endpoint(endpoint.id)
        ]

    def routable(self, endpoint_id: str) -> list[Worker]:
        """Healthy workers of the latest release that may take a request."""
        endpoint = self._account.endpoints.get(endpoint_id)
        return [
            one
            for one in self.of_endpoint(endpoint_id)
            if one.phase is Phase.READY and one.healthy and not one.draining
            if endpoint is not None and one.version == endpoint.version
        ]

    def requests(self, endpoint_id: str) -> int:
        """HTTP requests under way at a load balancing endpoint's workers."""
        return sum(len(one.jobs) for one in self.of_endpoint(endpoint_id) if one.port is not None)

    def begin_request(self, worker: Worker) -> str:
        """Counts a request as work of this worker, so that it is not idle; returns its ticket."""
        self._last_ticket += 1
        ticket = f"request-{self._last_ticket}"
        worker.jobs.add(ticket)
        worker.idle_since_s = None
        return ticket

    def end_request(self, worker: Worker, ticket: str) -> None:
        worker.jobs.discard(ticket)
        if not worker.busy:
            worker.idle_since_s = self._clock.now()
        self.job_done(worker)

    def carry_out(self, endpoint: Endpoint, decision: Decision) -> None:
        for worker_id, reason in decision.end:
            self.end(self._workers[worker_id], reason)
        for worker_id in decision.drain:
            worker = self._workers[worker_id]
            worker.draining = True
            worker.log.system("takes no more jobs; ends after the current one")
        for worker_id in decision.idle:
            self._send_home(endpoint, self._workers[worker_id])
        for _ in range(decision.start):
            self._start_or_wake(endpoint)

    def end(self, worker: Worker, reason: str) -> None:
        """Ends the process group in the background; its jobs are dispatched again."""
        if worker.phase is Phase.ENDING:
            return
        self._bill(worker)
        worker.phase = Phase.ENDING
        worker.log.system(f"ending: {reason}")
        worker.change.fire()
        if self._dispatcher is not None:
            self._dispatcher.lose_worker(worker)
        self._spawn(self._end(worker))

    def end_endpoint(self, endpoint_id: str, reason: str) -> None:
        for worker in self.all():
            if worker.endpoint_id == endpoint_id:
                self.end(worker, reason)
        self._crashes.pop(endpoint_id, None)

    async def end_all(self, reason: str) -> None:
        """Returns when no worker process is left."""
        for worker in self.all():
            self.end(worker, reason)
        while self._workers:
            await asyncio.sleep(0.02)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def first_poll(self, worker: Worker) -> None:
        """A worker is ready when it asks for its first job."""
        if worker.phase is Phase.INITIALIZING:
            worker.phase = Phase.READY
            worker.idle_since_s = self._clock.now()
            worker.log.system("ready")

    def job_taken(self, worker: Worker) -> None:
        """Lets the `worker_killed` fault strike."""
        fault = self._faults.strike(Kind.WORKER_KILLED, worker.endpoint_id)
        if fault is not None:
            self._spawn(self._kill_after(worker, fault.after_s))

    def job_done(self, worker: Worker) -> None:
        self._crashes.pop(worker.endpoint_id, None)
        if worker.draining and not worker.busy:
            self.end(worker, "replaced after its last job")

    def unhealthy(self, worker: Worker, reason: str) -> None:
        """Its own fitness check failed, and said so in a last ping."""
        if worker.phase in (Phase.INITIALIZING, Phase.READY):
            self._crashed(worker, reason)

    def enforce_times(self) -> None:
        """Workers that never came up, fell silent, or do not let go of a stopped job."""
        now_s, wall_s = self._clock.now(), self._clock.wall_s()
        for worker in self.all():
            if worker.phase is Phase.INITIALIZING and worker.started_s is not None:
                if now_s - worker.started_s > self._settings.init_timeout_s:
                    self._crashed(worker, "did not ask for a job in time")
            elif worker.phase is Phase.READY:
                silent_s = wall_s - (worker.last_ping_wall_s or wall_s)
                if silent_s > self._settings.lost_after_s:
                    self.end(worker, f"lost: no ping for {silent_s:.0f} s")
                elif any(deadline <= wall_s for deadline in worker.stopping.values()):
                    self.end(worker, "did not stop a cancelled or timed-out job")
                elif worker.stopping and worker.stop_again_wall_s <= wall_s:
                    worker.stop_signals = sorted(worker.stopping)
                    worker.stop_again_wall_s = wall_s + limits.STOP_REPEAT_S
                    worker.change.fire()
            elif worker.phase is Phase.PARKED and (reason := self._why_unpark(worker, now_s)):
                self.end(worker, reason)

    def _start_or_wake(self, endpoint: Endpoint) -> None:
        for worker in self._workers.values():
            if (
                worker.endpoint_id == endpoint.id
                and worker.phase is Phase.PARKED
                and worker.version == endpoint.version
            ):
                worker.phase = Phase.INITIALIZING
                self._spawn(self._wake(worker))
                return
        worker_id = self._ids.object_id()
        worker = Worker(
            id=worker_id,
            endpoint_id=endpoint.id,
            version=endpoint.version,
            image=endpoint.spec.image,
            disk_gb=endpoint.spec.disk_gb,
            placement=place(endpoint, self._account, self._catalog),
            key=self._ids.key(),
            created_s=self._clock.now(),
            log=self._launcher.log(endpoint.id, worker_id),
        )
        self._workers[worker.id] = worker
        self._spawn(self._boot(endpoint, worker))

    async def _boot(self, endpoint: Endpoint, worker: Worker) -> None:
        while self._faults.strike(Kind.WORKER_THROTTLED, endpoint.id):
            worker.phase = Phase.THROTTLED
            worker.log.system("throttled: waiting for compute capacity")
            await self._clock.sleep(self._settings.throttled_s)
            if worker.phase is not Phase.THROTTLED:
                return
        worker.phase = Phase.INITIALIZING
        worker.started_s = worker.billed_from_s = self._clock.now()
        worker.log.system(f"starting {worker.image} (release {worker.version})")
        if self._faults.strike(Kind.WORKER_NEVER_STARTS, endpoint.id):
            return
        await self._clock.sleep(self._settings.start_delay_s)
        # The account may have changed during the delay; secrets resolve at start, not at creation.
        current = self._account.endpoints.get(endpoint.id)
        if worker.phase is not Phase.INITIALIZING or current is None:
            return
        try:
            worker.starting = asyncio.create_task(self._launcher.start(endpoint, worker))
            worker.process = await asyncio.shield(worker.starting)
        except START_ERRORS as error:
            self._crashed(worker, f"cannot be started: {error}")
            return
        self._spawn(self._watch(worker, worker.process))
        if worker.port is not None:
            self._spawn(self._watch_health(worker, f"http://127.0.0.1:{worker.port}{health_path(endpoint.spec)}"))

    async def _watch_health(self, worker: Worker, url: str) -> None:
        """200 is healthy, 204 still initializing, all else unhealthy (docs: load-balancing/overview)."""
        async with httpx.AsyncClient(trust_env=False, timeout=limits.HEALTH_CHECK_S * 10) as client:
            while worker.phase in (Phase.INITIALIZING, Phase.READY, Phase.PARKED):
                if worker.phase is not Phase.PARKED:
                    try:
                        status = (await client.get(url)).status_code
                    except httpx.HTTPError:
                        status = None
                    worker.healthy = status == HTTPStatus.OK
                    if worker.healthy:
                        self.first_poll(worker)
                        self.change.fire()
                await asyncio.sleep(limits.HEALTH_CHECK_S)

    async def _watch(self, worker: Worker, process: WorkerProcess) -> None:
        status = await process.wait()
        # As a container ends with its first process: what is left of the group goes with it.
        await process.end(0.0)
        if worker.doomed or worker.phase is Phase.ENDING:
            return
        if status == 0 or worker.phase is Phase.PARKED:
            self.end(worker, "its process ended by itself")
        else:
            self._crashed(worker, f"its process ended with status {status}")

    def _crashed(self, worker: Worker, reason: str) -> None:
        """Stays visible as UNHEALTHY for a while that doubles, so that a broken image does not spin."""
        crashes = self._crashes[worker.endpoint_id] = self._crashes.get(worker.endpoint_id, 0) + 1
        self._bill(worker)
        worker.phase = Phase.UNHEALTHY
        worker.doomed = True
        worker.log.system(f"unhealthy: {reason}")
        if self._dispatcher is not None:
            self._dispatcher.lose_worker(worker)
        self._spawn(self._end_after(worker, min(BACKOFF_FIRST_S * 2 ** (crashes - 1), BACKOFF_MAX_S)))

    async def _end_after(self, worker: Worker, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.end(worker, "replaced after a failure")

    async def _kill_after(self, worker: Worker, real_s: float) -> None:
        await asyncio.sleep(real_s)
        if worker.process is not None:
            worker.log.system("killed by a scripted fault")
            worker.process.signal_group(signal.SIGKILL)

    def _send_home(self, endpoint: Endpoint, worker: Worker) -> None:
        parked = [one for one in self._workers.values() if one.phase is Phase.PARKED]
        here = sum(one.endpoint_id == endpoint.id for one in parked)
        if endpoint.spec.flashboot == "OFF" or worker.process is None or here >= PARKED_MAX:
            self.end(worker, "idle")
            return
        self._bill(worker)
        worker.phase = Phase.PARKED
        worker.log.system("idle: parked by FlashBoot")
        worker.process.signal_group(signal.SIGSTOP)
        worker.change.fire()  # its held poll is answered 400, as the SDK expects of FlashBoot

    async def _wake(self, worker: Worker) -> None:
        worker.started_s = worker.billed_from_s = self._clock.now()
        worker.last_ping_wall_s = None
        worker.log.system("waking from FlashBoot")
        await self._clock.sleep(self._settings.flashboot_start_delay_s)
        if worker.process is not None and worker.phase is Phase.INITIALIZING:
            worker.process.signal_group(signal.SIGCONT)

    def _why_unpark(self, worker: Worker, now_s: float) -> str | None:
        endpoint = self._account.endpoints.get(worker.endpoint_id)
        if endpoint is None or worker.version != endpoint.version:
            return "parked with an old release"
        if endpoint.spec.flashboot == "OFF":
            return "parked, and FlashBoot is off now"
        if now_s - (worker.idle_since_s or now_s) > PARKED_FOR_S:
            return "parked for too long"
        return None

    async def _end(self, worker: Worker) -> None:
        try:
            await self._launcher.end(worker)
        finally:
            self._workers.pop(worker.id, None)

    def _bill(self, worker: Worker) -> None:
        usage = self.usage_so_far(worker)
        if usage is not None:
            self._account.usage.append(usage)
        worker.billed_from_s = None

    def usage_so_far(self, worker: Worker) -> Usage | None:
        """The stretch a worker would be billed for if it ended now; None while it is not billed."""
        if worker.billed_from_s is None:
            return None
        return Usage(
            endpoint_id=worker.endpoint_id,
            worker_id=worker.id,
            start_s=worker.billed_from_s,
            end_s=billed_end_s(worker.billed_from_s, self._clock.now()),
            gpu_usd_per_s=worker.placement.gpu_usd_per_s,
            cpu_usd_per_s=worker.placement.cpu_usd_per_s,
            disk_gb=worker.disk_gb,
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a worker task failed", exc_info=task.exception())
