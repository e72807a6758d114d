"""Load balancing endpoints: HTTP straight to a worker's own server, no queue in between.
Never looks into a request or an answer; which workers are healthy is the fleet's finding.

Source: docs.runpod.io/serverless/load-balancing/overview. On the platform the address is
`https://<endpoint id>.api.runpod.ai/<path>`; here it is `/lb/<endpoint id>/<path>`, or that host name in the
Host header."""

from __future__ import annotations

import asyncio
import logging
import re
from urllib.parse import quote

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import limits
from .http import bearer_token, body_of, client_gone, platform_of, same_key, wait_first
from .platform import Platform
from .problems import JobApiError, Problem
from .state import LOAD_BALANCER, Endpoint
from .workers.model import Worker

log = logging.getLogger(__name__)

PREFIX = "/lb"
_OWN_HOST = re.compile(r"([a-z0-9]+)\.api\.runpod\.ai(:\d+)?")
# Of one connection only (RFC 9110, 7.6.1), or set anew by whoever sends.
_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"host", b"content-length"),
    }
)


class Balanced:
    """ASGI endpoint of one load balancing endpoint's whole address, whatever the verb."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            await _forward(request, send)
        except JobApiError as error:
            response = JSONResponse({"error": error.message}, status_code=error.status)
            await response(scope, receive, send)


async def _forward(request: Request, send: Send) -> None:
    """One request to one worker, its answer relayed as it comes; nothing is tried twice."""
    platform = platform_of(request)
    endpoint = _endpoint(request, platform)
    body = await body_of(request, limits.BALANCED_BODY_MAX_BYTES)
    if isinstance(body, int):
        raise JobApiError(413, f"request body is {body} bytes, allowed {limits.BALANCED_BODY_MAX_BYTES}")
    worker = await _worker(request, platform, endpoint)
    ticket = platform.fleet.begin_request(worker)
    started = False
    try:
        async with (
            asyncio.timeout(limits.BALANCED_PROCESSING_S),
            httpx.AsyncClient(trust_env=False, timeout=None) as client,  # noqa: S113 - bounded by the line above
            client.stream(
                request.method, _address(request, worker), content=body, headers=_passed_on(request)
            ) as answer,
        ):
            started = True
            headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            size = 0
            async for part in answer.aiter_raw():
                size += len(part)
                if size > limits.BALANCED_BODY_MAX_BYTES:
                    log.info(
                        "endpoint %s: an answer above %d bytes was cut", endpoint.id, limits.BALANCED_BODY_MAX_BYTES
                    )
                    return
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        if not started:  # else the connection is only cut, as there
            raise JobApiError(524, "the worker took too long") from None
    except httpx.HTTPError as error:
        if not started:
            raise JobApiError(502, f"the worker cannot be reached: {type(error).__name__}") from error
    finally:
        platform.fleet.end_request(worker, ticket)


def _address(request: Request, worker: Worker) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"http://127.0.0.1:{worker.port}/{quote(request.path_params['path'])}{query}"


def _passed_on(request: Request) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in request.headers.raw if name.lower() not in _HOP_BY_HOP]


async def _worker(request: Request, platform: Platform, endpoint: Endpoint) -> Worker:
    """The healthy worker with the fewest requests, as soon as there is one. Raises JobApiError 400 after a while."""
    deadline_s = platform.clock.wall_s() + platform.settings.balanced_wait_s
    platform.waiting_requests[endpoint.id] += 1
    platform.requested(endpoint)
    try:
        async with client_gone(request) as gone:
            while True:
                changed = platform.fleet.change.waiter()
                found = platform.fleet.routable(endpoint.id)
                if found:
                    return min(found, key=lambda one: len(one.jobs))
                left_s = deadline_s - platform.clock.wall_s()
                if left_s <= 0 or gone.is_set():
                    raise JobApiError(400, "no workers available")
                await wait_first(changed, gone, timeout_s=left_s)
    finally:
        platform.waiting_requests[endpoint.id] -= 1


def _endpoint(request: Request, platform: Platform) -> Endpoint:
    try:
        key = bearer_token(request, bare_allowed=True)
    except Problem as problem:
        raise JobApiError(401, problem.detail) from problem
    if not same_key(key, platform.options.api_key):
        raise JobApiError(401, "invalid api key")
    endpoint = platform.account.endpoints.get(request.path_params["endpoint_id"])
    if endpoint is None or endpoint.spec.type != LOAD_BALANCER:
        raise JobApiError(404, "endpoint not found")
    return endpoint


class OwnHosts:
    """Takes a request for `<endpoint id>.api.runpod.ai` to that endpoint's path here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
            match = _OWN_HOST.fullmatch(host)
            if match:
                path = f"{PREFIX}/{match.group(1)}{scope['path']}"
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


ROUTES: list[Route] = [Route(f"{PREFIX}/{{endpoint_id}}/{{path:path}}", Balanced())]
