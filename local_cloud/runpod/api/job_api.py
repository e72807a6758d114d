"""Routes of the job API: /v2/<endpoint id>/run, runsync, status, stream, cancel, retry, purge-queue, health.
Unpacks, calls the dispatcher, and packs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account.state import Endpoint
from local_cloud.runpod.api.http import (
    Handler,
    Verbs,
    bearer_token,
    body_of,
    client_gone,
    platform_of,
    same_key,
    wait_first,
)
from local_cloud.runpod.api.rate_limits import JobLimiter
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import JobApiError, Problem
from local_cloud.runpod.jobs.model import Job, Status
from local_cloud.runpod.jobs.wire import Submission, job_to_wire, parse_submission, wait_ms


async def run(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = _endpoint(request)
    submission = await _submission(request, limits.RUN_BODY_MAX_BYTES)
    job = platform.dispatcher.submit(endpoint.id, submission, sync=False, kept_s=limits.RUN_RESULT_KEPT_S)
    platform.requested(endpoint)
    return JSONResponse({"id": job.id, "status": job.status.value})


async def runsync(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = _endpoint(request)
    submission = await _submission(request, limits.RUNSYNC_BODY_MAX_BYTES)
    text = request.query_params.get("wait")
    deadline_s = platform.clock.wall_s() + wait_ms(text) / 1000
    kept_s = limits.RUNSYNC_RESULT_KEPT_S if text is None else limits.RUNSYNC_RESULT_KEPT_WITH_WAIT_S
    job = platform.dispatcher.submit(endpoint.id, submission, sync=True, kept_s=kept_s)
    platform.requested(endpoint)
    await _hold(request, job, deadline_s, lambda: job.final)
    if job.final:
        return JSONResponse(job_to_wire(job, now_s=platform.clock.now()))
    return JSONResponse({"id": job.id, "status": job.status.value})


async def status(request: Request) -> Response:
    return JSONResponse(job_to_wire(_job(request), now_s=platform_of(request).clock.now()))


async def stream(request: Request) -> Response:
    """Holds until there are parts or the job ends; each call removes the parts that it returns."""
    platform = platform_of(request)
    job = _job(request)
    hold_s = limits.STREAM_HOLD_S
    if "wait" in request.query_params:
        hold_s = min(hold_s, wait_ms(request.query_params["wait"]) / 1000)
    await _hold(request, job, platform.clock.wall_s() + hold_s, lambda: job.final or bool(job.chunks))
    parts, job.chunks = job.chunks, []
    return JSONResponse({"status": job.status.value, "stream": [{"output": part} for part in parts]})


async def cancel(request: Request) -> Response:
    job = _job(request)
    platform_of(request).dispatcher.cancel(job)
    return JSONResponse({"id": job.id, "status": job.status.value})


async def retry(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = _endpoint(request)
    job = _job(request)
    if job.status not in (Status.FAILED, Status.TIMED_OUT):
        raise JobApiError(400, f"job is {job.status.value}; only FAILED or TIMED_OUT jobs can be retried")
    platform.dispatcher.queue(endpoint.id).retry(job, now_s=platform.clock.now())
    platform.requested(endpoint)
    return JSONResponse({"id": job.id, "status": job.status.value})


async def purge_queue(request: Request) -> Response:
    removed = platform_of(request).dispatcher.purge(_endpoint(request).id)
    return JSONResponse({"removed": removed, "status": "completed"})


async def health(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = _endpoint(request)
    queue = platform.dispatcher.queue(endpoint.id)
    counts = Counter(one.status for one in platform.fleet.of_endpoint(endpoint.id))
    return JSONResponse(
        {
            "jobs": {
                "completed": queue.completed,
                "failed": queue.failed,
                "inProgress": queue.in_progress,
                "inQueue": queue.in_queue,
                "retried": queue.retried,
            },
            "workers": {
                "idle": counts["IDLE"],
                "initializing": counts["INITIALIZING"],
                # In the documented example one idle worker is one ready worker. That running workers count,
                # too, is a guess.
                "ready": counts["IDLE"] + counts["RUNNING"],
                "running": counts["RUNNING"],
                "throttled": counts["THROTTLED"],
                "unhealthy": counts["UNHEALTHY"],
            },
        }
    )


async def _submission(request: Request, max_bytes: int) -> Submission:
    raw = await body_of(request, max_bytes)
    if isinstance(raw, int):
        raise JobApiError(400, f"request body is {raw} bytes, allowed {max_bytes}")
    return parse_submission(raw, ttl_query=request.query_params.get("ttl"))


async def _hold(request: Request, job: Job, deadline_s: float, done: Callable[[], bool]) -> None:
    """Until `done`, the deadline (real seconds), or the caller hangs up."""
    platform = platform_of(request)
    queue = platform.dispatcher.queue(job.endpoint_id)
    async with client_gone(request) as gone:
        while True:
            changed = queue.change.waiter()
            left_s = deadline_s - platform.clock.wall_s()
            if done() or left_s <= 0 or gone.is_set():
                return
            await wait_first(changed, gone, timeout_s=left_s)


def _endpoint(request: Request) -> Endpoint:
    endpoint = platform_of(request).account.endpoints.get(request.path_params["endpoint_id"])
    if endpoint is None:
        raise JobApiError(404, "endpoint not found")
    return endpoint


def _job(request: Request) -> Job:
    return platform_of(request).dispatcher.find(_endpoint(request).id, request.path_params["job_id"])


def _guarded(operation: str, handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        platform = platform_of(request)
        try:
            key = bearer_token(request, bare_allowed=True)
        except Problem as problem:
            raise JobApiError(401, problem.detail) from problem
        if platform.settings.key_revoked or not same_key(key, platform.options.api_key):
            raise JobApiError(401, "invalid api key")
        limiter: JobLimiter = request.app.state.job_limiter
        slot = (request.path_params["endpoint_id"], operation)
        limiter.at_once[slot] += 1
        try:
            if platform.settings.job_rate_limits and not limiter.admit(*slot, platform.clock.now()):
                raise JobApiError(429, f"too many {operation} requests", headers={"Retry-After": "1"})
            return await handler(request)
        finally:
            limiter.at_once[slot] -= 1

    return guarded


def _route(path: str, verb: str, operation: str, handler: Handler) -> Route:
    return Route(f"/v2/{{endpoint_id}}/{path}", Verbs({verb: _guarded(operation, handler)}))


ROUTES: list[Route] = [
    _route("run", "POST", "run", run),
    _route("runsync", "POST", "runsync", runsync),
    _route("status/{job_id}", "GET", "status", status),
    _route("stream/{job_id}", "GET", "stream", stream),
    _route("cancel/{job_id}", "POST", "cancel", cancel),
    _route("retry/{job_id}", "POST", "retry", retry),
    _route("purge-queue", "POST", "purge-queue", purge_queue),
    _route("health", "GET", "health", health),
]
