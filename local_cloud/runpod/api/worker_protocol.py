"""Routes that the runpod SDK calls from inside a worker: take, stop, ping, done, stream.
Answers in the form that SDK 1.12.0 accepts (rp_job, rp_scale, rp_ping, rp_http); decides nothing."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.api.http import Handler, Verbs, body_of, client_gone, platform_of, same_key, wait_first
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import JobApiError
from local_cloud.runpod.jobs.model import Job
from local_cloud.runpod.jobs.wire import job_for_worker, parse_object
from local_cloud.runpod.platform import Platform
from local_cloud.runpod.workers.model import Phase, Worker

# An ending worker polls again at once after an empty answer until its signal handler has run.
ENDING_PAUSE_S = 0.2


async def take(request: Request) -> Response:
    """One job object, or 204 after a held poll; 400 while FlashBoot parks the worker."""
    jobs = await _take(request, 1)
    return JSONResponse(job_for_worker(jobs[0])) if jobs else _nothing(request)


async def take_batch(request: Request) -> Response:
    """A list of up to `batch_size` job objects."""
    text = request.query_params.get("batch_size", "1")
    if not text.isdecimal() or int(text) < 1:
        raise JobApiError(400, f"batch_size is {text!r}, expected a positive integer")
    jobs = await _take(request, int(text))
    return JSONResponse([job_for_worker(job) for job in jobs]) if jobs else _nothing(request)


async def _take(request: Request, count: int) -> list[Job]:
    platform, worker = platform_of(request), _worker(request)
    if request.query_params.get("job_in_progress") == "0":
        platform.dispatcher.nothing_in_progress(worker)
    platform.lifecycle.polled(worker)
    queue = platform.dispatcher.queue(worker.endpoint_id)
    deadline_s = platform.clock.wall_s() + limits.TAKE_HOLD_S
    async with client_gone(request) as gone:
        while True:
            arrived, changed = queue.arrival.waiter(), worker.change.waiter()
            left_s = deadline_s - platform.clock.wall_s()
            if gone.is_set() or left_s <= 0 or worker.phase is Phase.PARKED:
                return []
            if worker.phase is Phase.ENDING:
                await wait_first(gone, timeout_s=ENDING_PAUSE_S)
                return []
            if _may_take(worker, platform) and (jobs := platform.dispatcher.hand_over(worker, count)):
                platform.worker_faults.job_taken(worker)
                return jobs
            await wait_first(arrived, changed, gone, timeout_s=left_s)


def _may_take(worker: Worker, platform: Platform) -> bool:
    endpoint = platform.account.endpoints.get(worker.endpoint_id)
    return (
        worker.phase is Phase.READY
        and not worker.draining
        and endpoint is not None
        and worker.version == endpoint.version
    )


def _nothing(request: Request) -> Response:
    worker = platform_of(request).fleet.get(request.path_params["worker_id"])
    parked = worker is not None and worker.phase is Phase.PARKED
    return Response(status_code=400 if parked else 204)


async def stop(request: Request) -> Response:
    """Jobs this worker should stop, as soon as there are any; 204 after a held poll."""
    platform, worker = platform_of(request), _worker(request)
    deadline_s = platform.clock.wall_s() + limits.STOP_HOLD_S
    async with client_gone(request) as gone:
        while True:
            changed = worker.change.waiter()
            left_s = deadline_s - platform.clock.wall_s()
            if worker.stop_signals and not gone.is_set():
                ids, worker.stop_signals = worker.stop_signals, []
                return JSONResponse({"jobsToStop": ids})
            if gone.is_set() or left_s <= 0 or worker.phase in (Phase.ENDING, Phase.PARKED):
                return Response(status_code=204)
            await wait_first(changed, gone, timeout_s=left_s)


async def ping(request: Request) -> Response:
    """A sign of life: the jobs that the worker runs, or why its fitness check failed."""
    platform, worker = platform_of(request), _worker(request)
    worker.last_ping_wall_s = platform.clock.wall_s()
    if request.query_params.get("status") == "unhealthy":
        check = request.query_params.get("check", "unknown check")
        platform.lifecycle.failed_its_check(worker, f"{check}: {request.query_params.get('reason', 'no reason given')}")
    named = request.query_params.get("job_id", "")
    platform.dispatcher.claim(worker, {one for one in named.split(",") if one})
    return JSONResponse({})


async def done(request: Request) -> Response:
    """A result or, with status IN_PROGRESS, a progress message. The body is JSON; its content type is ignored."""
    platform, worker = platform_of(request), _worker(request)
    body = await _sent(request)
    job_id = request.path_params["job_id"]
    if body.get("status") == "IN_PROGRESS":
        platform.dispatcher.progress(worker, job_id, body.get("output"))
        return JSONResponse({})
    platform.dispatcher.result(worker, job_id, body)
    if body.get("stopPod") is True:
        platform.lifecycle.end(worker, "asked for a refresh")
    else:
        platform.lifecycle.job_done(worker)
    return JSONResponse({})


async def stream_part(request: Request) -> Response:
    platform, worker = platform_of(request), _worker(request)
    body = await _sent(request)
    platform.dispatcher.stream(worker, request.path_params["job_id"], body.get("output"))
    return JSONResponse({})


async def _sent(request: Request) -> dict[str, Any]:
    raw = await body_of(request, limits.RUNSYNC_BODY_MAX_BYTES)
    if isinstance(raw, int):
        raise JobApiError(400, f"result is {raw} bytes, allowed {limits.RUNSYNC_BODY_MAX_BYTES}")
    return parse_object(raw)


def _worker(request: Request) -> Worker:
    """The worker of the path, which sends its own key without `Bearer`; 401 for any other caller."""
    worker = platform_of(request).fleet.get(request.path_params["worker_id"])
    key = request.headers.get("authorization", "")
    if worker is None or worker.endpoint_id != request.path_params["endpoint_id"] or not same_key(key, worker.key):
        raise JobApiError(401, "not a worker of this endpoint")
    return worker


def _route(path: str, verb: str, handler: Handler) -> Route:
    return Route(f"/v2/{{endpoint_id}}/{path}", Verbs({verb: handler}))


ROUTES: list[Route] = [
    _route("job-take/{worker_id}", "GET", take),
    _route("job-take-batch/{worker_id}", "GET", take_batch),
    _route("job-stop/{worker_id}", "GET", stop),
    _route("ping/{worker_id}", "GET", ping),
    _route("job-done/{worker_id}/{job_id}", "POST", done),
    _route("job-stream/{worker_id}/{job_id}", "POST", stream_part),
]
