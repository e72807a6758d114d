"""Jobs on the wire: request bodies in, job objects out.
Changes no job. The forms are from the operation reference, the send-requests page and captures."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import JobApiError
from local_cloud.runpod.jobs.model import MISSING, Job, Policy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Submission:
    request: dict[str, Any]
    policy: Policy


def parse_submission(raw: bytes, *, ttl_query: str | None) -> Submission:
    """The body of /run or /runsync; raises JobApiError 400. Unknown keys travel on to the worker."""
    body = parse_object(raw)
    if not isinstance(body.get("input"), dict):
        raise JobApiError(400, "input is required and must be an object")
    webhook = body.get("webhook")
    if webhook is not None and not (isinstance(webhook, str) and webhook.startswith(("http://", "https://"))):
        raise JobApiError(400, "webhook must be an http(s) URL")
    policy = body.get("policy", {})
    if not isinstance(policy, dict):
        raise JobApiError(400, "policy must be an object")
    if ttl_query is not None:
        policy = {**policy, "ttl": _whole(ttl_query, "ttl")}
    return Submission(request=body, policy=_policy(policy))


def _policy(policy: Mapping[str, Any]) -> Policy:
    timeout = policy.get("executionTimeout")
    ttl = policy.get("ttl", limits.TTL_DEFAULT_MS)
    low = policy.get("lowPriority", False)
    if timeout is not None:
        _check_range("policy.executionTimeout", timeout, limits.EXECUTION_TIMEOUT_MIN_MS)
    _check_range("policy.ttl", ttl, limits.TTL_MIN_MS)
    if not isinstance(low, bool):
        raise JobApiError(400, "policy.lowPriority must be a boolean")
    return Policy(execution_timeout_ms=timeout, ttl_ms=ttl, low_priority=low)


def _check_range(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= limits.POLICY_MAX_MS:
        raise JobApiError(400, f"{name} is {value!r}, allowed {low} to {limits.POLICY_MAX_MS} ms")


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise JobApiError(400, f"{name} is {text!r}, expected milliseconds") from error


def wait_ms(text: str | None) -> int:
    """`?wait=` of /runsync in ms, 1000 to 300000."""
    if text is None:
        return limits.RUNSYNC_WAIT_DEFAULT_MS
    value = _whole(text, "wait")
    if not limits.RUNSYNC_WAIT_MIN_MS <= value <= limits.RUNSYNC_WAIT_MAX_MS:
        raise JobApiError(
            400, f"wait is {value}, allowed {limits.RUNSYNC_WAIT_MIN_MS} to {limits.RUNSYNC_WAIT_MAX_MS} ms"
        )
    return value


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object; the content type is ignored. Bare NaN or Infinity is not JSON."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise JobApiError(400, f"body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise JobApiError(400, "body must be a JSON object")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def job_to_wire(job: Job, *, now_s: float) -> dict[str, Any]:
    """The job object of /status and /runsync: only what is known is present."""
    wire: dict[str, Any] = {"id": job.id, "status": job.status.value}
    if job.started_s is not None:
        wire["delayTime"] = _ms(job.started_s - job.submitted_s)
        wire["workerId"] = job.worker_id
        if job.finished_s is not None:
            wire["executionTime"] = _ms(job.finished_s - job.started_s)
    elif job.finished_s is None:
        wire["delayTime"] = _ms(now_s - job.submitted_s)
    if job.output is not MISSING:
        wire["output"] = job.output
    if job.error is not MISSING:
        wire["error"] = job.error
    if job.redispatches:
        wire["retries"] = job.redispatches
    return wire


def webhook_body(job: Job, *, now_s: float) -> dict[str, Any]:
    """The whole job object, with the input and the webhook echoed (captured 2026-07-13)."""
    return {**job_to_wire(job, now_s=now_s), "input": job.request["input"], "webhook": job.webhook}


def job_for_worker(job: Job) -> dict[str, Any]:
    """What a take answers: the body's keys plus the id. An empty input is dropped on the way (observed)."""
    handed = {key: value for key, value in job.request.items() if key != "id"}
    if not handed["input"]:
        del handed["input"]
    return {"id": job.id, **handed}


def split_chunk(output: Any) -> list[Any]:
    """A stream part of at most 1 MB; longer text is cut into several parts."""
    if not isinstance(output, str) or len(output.encode()) <= limits.STREAM_CHUNK_MAX_BYTES:
        return [output]
    # UTF-8 needs at most 4 bytes a character, so parts of a quarter of the limit always fit.
    step = limits.STREAM_CHUNK_MAX_BYTES // 4
    return [output[start : start + step] for start in range(0, len(output), step)]


def _ms(seconds: float) -> int:
    return max(0, math.floor(seconds * 1000))
