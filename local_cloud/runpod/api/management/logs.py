"""Route of a worker's logs: Server-Sent Events, old lines first, then live until the worker ends.
Event ids are `<RFC 3339 time>/<line number>`, as in the published example."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from local_cloud.runpod.api.http import platform_of, wait_first
from local_cloud.runpod.api.management.endpoints import find
from local_cloud.runpod.api.management.guard import management_route
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.clock import parse_rfc3339, rfc3339
from local_cloud.runpod.core.problems import not_found, unprocessable
from local_cloud.runpod.workers.logs import LogLine, WorkerLog

TAIL_DEFAULT = 100
SOURCES = ("container", "system")
# A comment line now and then keeps the connection alive and notices a reader that is gone.
HEARTBEAT_S = 15.0
SSE_HEADERS = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}


async def worker_logs(request: Request) -> Response:
    endpoint = find(request)
    worker = platform_of(request).fleet.get(request.path_params["worker_id"])
    source = request.query_params.get("source")
    if source is not None and source not in SOURCES:
        raise unprocessable([f"source: {source!r} is not one of {', '.join(SOURCES)}"])
    starts = _start(request)
    if worker is None or worker.endpoint_id != endpoint.id:
        raise not_found("worker")
    events = _events(worker.log, starts, source)
    return StreamingResponse(events, media_type="text/event-stream", headers=SSE_HEADERS)


def _start(request: Request) -> Callable[[tuple[LogLine, ...]], int]:
    """The number of the last line that is not wanted: by Last-Event-ID, else since, else tail."""
    last_id = request.headers.get("last-event-id")
    if last_id is not None:
        moment, _, number = last_id.partition("/")
        if number.isdecimal():
            return lambda _: int(number)
        return _before(moment, "Last-Event-ID")
    since = request.query_params.get("since")
    tail = _tail(request)
    if since is not None:
        return _before(since, "since")
    return lambda lines: (lines[-tail - 1].number if tail < len(lines) else 0) if lines else 0


def _tail(request: Request) -> int:
    text = request.query_params.get("tail", str(TAIL_DEFAULT))
    if not (text.isascii() and text.isdecimal()) or int(text) > limits.LOG_LINES_KEPT:
        raise unprocessable([f"tail: {text!r} is not an integer from 0 to {limits.LOG_LINES_KEPT}"])
    return int(text)


def _before(text: str, name: str) -> Callable[[tuple[LogLine, ...]], int]:
    try:
        moment_s = parse_rfc3339(text)
    except ValueError as error:
        raise unprocessable([f"{name}: {text!r} is not an RFC 3339 time"]) from error
    return lambda lines: max((one.number for one in lines if one.ts_s < moment_s), default=0)


async def _events(
    log: WorkerLog, starts: Callable[[tuple[LogLine, ...]], int], source: str | None
) -> AsyncIterator[str]:
    seen = starts(log.lines)
    while True:
        changed = log.change.waiter()
        for line in log.lines:
            if line.number > seen and source in (None, line.source):
                yield _event(line)
        seen = max(seen, log.lines[-1].number if log.lines else 0)
        if log.closed:
            return
        await wait_first(changed, timeout_s=HEARTBEAT_S)
        if not changed.is_set():
            yield ": waiting\n\n"


def _event(line: LogLine) -> str:
    moment = rfc3339(line.ts_s)
    data = json.dumps({"ts": moment, "source": line.source, "line": line.line}, ensure_ascii=False)
    return f"id: {moment}/{line.number:012d}\ndata: {data}\n\n"


ROUTES: list[Route] = [
    management_route("/v2/serverless/{id}/workers/{worker_id}/logs", {"GET": worker_logs}),
]
