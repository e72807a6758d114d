"""The RunPod handler: takes a job, runs it in the child, forwards progress, returns a report or a failure.
Does not import torch. Its answers contain no traceback, path, key or address.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from splat_worker.contract.job_input import EditJobInput, JobInput, parse_input
from splat_worker.contract.job_report import Failure
from splat_worker.errors import Code, JobError, as_job_error
from splat_worker.job.child_host import ChildHost, ReportedFailure
from splat_worker.job.cost import seconds_allowed
from splat_worker.job.processes import log_to_stderr
from splat_worker.selftest import job as selftest_job
from splat_worker.transfer.outbox import Outbox
from splat_worker.transfer.transfer import Transfer

log = logging.getLogger("splat_worker.handler")

UNWANTED_EVERY_S = 0.5
REPEAT_AFTER_S = 10.0
"""Silence after which the last progress message is sent again."""


class Handler:
    """An async callable for the SDK. RunPod cancels a job by cancelling the task that awaits it."""

    def __init__(self, host: ChildHost, progress_update: Any) -> None:
        self._host, self._progress_update = host, progress_update

    async def __call__(self, job: Mapping[str, Any]) -> dict[str, Any]:
        if selftest_job.is_requested(job.get("input")):
            return await _self_test()
        try:
            parsed = parse_input(job.get("input"))
        except JobError as error:
            return _failed(error)
        progress = _Progress(parsed, job.get("id"), lambda message: self._progress_update(dict(job), message))
        try:
            answer = sendable(await self._run(parsed, progress))
        except ReportedFailure as reported:
            answer = {"error": reported.failure}
        except asyncio.CancelledError:
            progress.abandon()
            raise
        except Exception as error:
            if not isinstance(error, JobError):
                log.exception("the handler failed")
            answer = _failed(as_job_error(error, None))
        await asyncio.to_thread(progress.end, answer)
        return answer

    async def _run(self, job: JobInput | EditJobInput, progress: _Progress) -> dict[str, Any]:
        """The child's report. Raises JobError with CANCELLED once the edge answers that the attempt has ended."""
        seconds_max = seconds_allowed(job.limits.max_seconds, job.limits.max_cost_usd, job.price)
        work = asyncio.create_task(self._host.run(job, seconds_max=seconds_max, on_event=progress))
        watch = asyncio.create_task(progress.until_unwanted())
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            raise JobError(Code.CANCELLED, "The job was cancelled.")
        finally:
            for task in (work, watch):
                task.cancel()
            # The child and its descendants are dead when its task has ended.
            await asyncio.wait((work, watch))


async def _self_test() -> dict[str, Any]:
    try:
        return sendable(await selftest_job.run())
    except JobError as error:
        return _failed(error)


class _Progress:
    """Forwards the child's events to RunPod's progress channel and to the edge's signed webhook.

    runpod_id: RunPod's id of the job. The edge may have lost it, and needs it to cancel the job."""

    def __init__(self, job: JobInput | EditJobInput, runpod_id: str | None, to_runpod: Any) -> None:
        self._job, self._to_runpod, self._seq = job, to_runpod, 0
        self._facts = {"project_id": job.project_id, "attempt": job.attempt, "runpod_id": runpod_id}
        self._last: dict[str, Any] | None = None
        self._sent_at = time.monotonic()
        self._unwanted = threading.Event()
        self._transfer = Transfer() if job.progress or job.webhook_url else None
        self._outbox: Outbox | None = None
        if job.progress and self._transfer:
            transfer, address = self._transfer, job.progress
            self._outbox = Outbox(
                lambda body, headers: transfer.post(address.url, body, headers),
                address.secret,
                f"{job.project_id}.{job.attempt}",
                self._unwanted.set,
            )

    def __call__(self, event: Mapping[str, Any]) -> None:
        message = self._number(event)
        self._to_runpod(message)
        self._to_edge(message)

    async def until_unwanted(self) -> None:
        """Returns when the edge has answered that the attempt has ended. Repeats the last message in a quiet stage, so
        that this is noticed within seconds, and the edge sees that the worker lives."""
        while not self._unwanted.is_set():
            await asyncio.sleep(UNWANTED_EVERY_S)
            if self._last is not None and time.monotonic() - self._sent_at >= REPEAT_AFTER_S:
                self._to_edge(self._number({**self._last, "preview": None}))

    def _number(self, event: Mapping[str, Any]) -> dict[str, Any]:
        self._seq += 1
        return {**event, **self._facts, "seq": self._seq}

    def _to_edge(self, message: dict[str, Any]) -> None:
        self._last, self._sent_at = message, time.monotonic()
        if self._outbox:
            self._outbox.put(message)

    def abandon(self) -> None:
        """The job was cancelled: drop the rest."""
        if self._outbox:
            self._outbox.close(timeout_s=0)

    def end(self, answer: dict[str, Any]) -> None:
        """Send the waiting message and the answer to the plain form's webhook, then close the connections."""
        if self._outbox:
            self._outbox.close()
        if self._transfer is None:
            return
        with self._transfer as transfer:
            if self._job.webhook_url:
                body = json.dumps({"project_id": self._job.project_id, "output": answer}).encode()
                try:
                    transfer.post(self._job.webhook_url, body, {"content-type": "application/json"})
                except ConnectionError as error:
                    log.warning("could not reach the webhook: %s", error)


def _failed(error: JobError) -> dict[str, Any]:
    return {"error": Failure.of(error).model_dump(mode="json", exclude_none=True)}


def sendable(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer without NaN. Raises INTERNAL where JSON cannot hold it: the SDK would log that and answer nothing, so
    RunPod would bill a second worker for the same job."""
    cleaned: dict[str, Any] = sanitised(answer)
    try:
        json.dumps(cleaned, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        log.error("the answer cannot be sent: %s", error)
        raise JobError(Code.INTERNAL, "The worker could not send its result.") from error
    return cleaned


def sanitised(value: Any) -> Any:
    """The same value with NaN and infinities as null: the SDK would write them as bare words, which is not JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): sanitised(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sanitised(item) for item in value]
    return value


def main() -> None:
    """Starts the child first: it loads torch and pycolmap while the SDK loads and requests its first job."""
    log_to_stderr()
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")  # at DEBUG the SDK logs jobs with their presigned URLs
    if sys.platform == "linux":
        # How the SDK starts its ping, which Python 3.14 would start through a socket in TMPDIR: a path of over 107
        # bytes cannot be one.
        multiprocessing.set_start_method("fork", force=True)
    host = ChildHost()
    host.start()
    import runpod

    runpod.serverless.start({"handler": Handler(host, runpod.serverless.progress_update)})


if __name__ == "__main__":
    main()
