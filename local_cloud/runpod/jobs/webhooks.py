"""Posts a finished job to the caller's webhook: the whole job object, unsigned, up to three tries.
A webhook that fails does not change the job."""

from __future__ import annotations

import dataclasses
import logging

import httpx

from local_cloud.runpod.core import limits
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.ids import Ids
from local_cloud.runpod.core.tasks import Tasks
from local_cloud.runpod.faults.scripted import Faults, Kind
from local_cloud.runpod.jobs.model import Job
from local_cloud.runpod.jobs.wire import webhook_body

log = logging.getLogger(__name__)

USER_AGENT = "Go-http-client/2.0"  # captured 2026-07-13


@dataclasses.dataclass(kw_only=True, eq=False)
class WebhookSender:
    clock: Clock
    ids: Ids
    faults: Faults
    _http: httpx.AsyncClient | None = None
    _tasks: Tasks = dataclasses.field(default_factory=Tasks)

    def send(self, job: Job) -> None:
        """Returns at once; the tries run in the background."""
        if self.faults.strike(Kind.WEBHOOK_DROPPED, job.endpoint_id):
            return
        copies = 2 if self.faults.strike(Kind.WEBHOOK_DOUBLED, job.endpoint_id) else 1
        assert job.webhook is not None
        body = webhook_body(job, now_s=self.clock.now())
        for _ in range(copies):
            self._tasks.spawn(self._post(job.webhook, job.id, body))

    async def close(self) -> None:
        await self._tasks.cancel()
        if self._http is not None:
            await self._http.aclose()

    async def _post(self, url: str, job_id: str, body: dict[str, object]) -> None:
        if self._http is None:
            self._http = httpx.AsyncClient(trust_env=False)
        for attempt in range(1, limits.WEBHOOK_TRIES + 1):
            if attempt > 1:
                await self.clock.sleep(limits.WEBHOOK_PAUSE_S)
            try:
                answer = await self._http.post(
                    url,
                    json=body,
                    headers={"User-Agent": USER_AGENT, "traceparent": self.ids.trace_parent()},
                    timeout=limits.WEBHOOK_RECEIVER_TIMEOUT_S,
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                # The URL can carry a capability, so it stays out of the log.
                log.info("webhook of job %s, try %d: %s", job_id, attempt, type(error).__name__)
                continue
            if answer.is_success:
                return
            log.info("webhook of job %s, try %d: status %d", job_id, attempt, answer.status_code)
