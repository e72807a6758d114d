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
from collections.abc import Mapping
from typing import Any

from splat_worker.contract.job_input import JobInput, parse_input
from splat_worker.contract.job_report import Failure
from splat_worker.errors import JobError, as_job_error
from splat_worker.job.child_host import ChildHost, ReportedFailure
from splat_worker.job.cost import seconds_allowed
from splat_worker.job.processes import log_to_stderr
from splat_worker.selftest import job as selftest_job
from splat_worker.transfer.outbox import Outbox
from splat_worker.transfer.transfer import Transfer

log = logging.getLogger("splat_worker.handler")


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
        progress = _Progress(parsed, lambda message: self._progress_update(dict(job), message))
        try:
            report = await self._host.run(
                parsed,
                seconds_max=seconds_allowed(parsed.limits.max_seconds, parsed.limits.max_cost_usd, parsed.price),
                on_event=progress,
            )
            answer = sanitised(report)
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


async def _self_test() -> dict[str, Any]:
    try:
        return sanitised(await selftest_job.run())
    except JobError as error:
        return _failed(error)


class _Progress:
    """Forwards the child's events to RunPod's progress channel and to the edge's signed webhook."""

    def __init__(self, job: JobInput, to_runpod: Any) -> None:
        self._job, self._to_runpod, self._seq = job, to_runpod, 0
        self._transfer = Transfer() if job.progress or job.webhook_url else None
        self._outbox: Outbox | None = None
        if job.progress and self._transfer:
            transfer, address = self._transfer, job.progress
            self._outbox = Outbox(
                lambda body, headers: transfer.post(address.url, body, headers),
                address.secret,
                f"{job.project_id}.{job.attempt}",
            )

    def __call__(self, event: Mapping[str, Any]) -> None:
        self._seq += 1
        message = {"project_id": self._job.project_id, "attempt": self._job.attempt, "seq": self._seq, **event}
        self._to_runpod(message)
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
