"""Tells the caller's webhook about a finished job: the whole job object, unsigned, up to three tries.
Never changes a job: a webhook that fails leaves no trace in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import httpx

from .. import limits
from ..clock import Clock
from ..faults import Faults, Kind
from ..ids import Ids
from .model import Job
from .wire import webhook_body

log = logging.getLogger(__name__)

USER_AGENT = "Go-http-client/2.0"  # captured 2026-07-13


class WebhookSender:
    def __init__(self, *, clock: Clock, ids: Ids, faults: Faults, client: Callable[[], httpx.AsyncClient]) -> None:
        self._clock = clock
        self._ids = ids
        self._faults = faults
        self._make_client = client
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, job: Job) -> None:
        """Returns at once; the tries go on in the background."""
        if self._faults.strike(Kind.WEBHOOK_DROPPED, job.endpoint_id):
            return
        copies = 2 if self._faults.strike(Kind.WEBHOOK_DOUBLED, job.endpoint_id) else 1
        assert job.webhook is not None
        body = webhook_body(job, now_s=self._clock.now())
        for _ in range(copies):
            task = asyncio.create_task(self._send(job.webhook, job.id, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, url: str, job_id: str, body: dict[str, object]) -> None:
        if self._client is None:
            self._client = self._make_client()
        for attempt in range(1, limits.WEBHOOK_TRIES + 1):
            if attempt > 1:
                await self._clock.sleep(limits.WEBHOOK_PAUSE_S)
            try:
                answer = await self._client.post(
                    url,
                    json=body,
                    headers={"User-Agent": USER_AGENT, "traceparent": self._ids.trace_parent()},
                    timeout=limits.WEBHOOK_RECEIVER_TIMEOUT_S,
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                # The URL may carry a capability: it stays out of the log.
                log.info("webhook of job %s, try %d: %s", job_id, attempt, type(error).__name__)
                continue
            if answer.is_success:
                return
            log.info("webhook of job %s, try %d: status %d", job_id, attempt, answer.status_code)
