"""Shared HTTP plumbing: one handler per verb, refusals as answers, keys, rate-limit headers.
Knows no route."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local_cloud.runpod.core.problems import JobApiError, Problem, unauthorized
from local_cloud.runpod.platform import Platform

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]
PROBLEM_JSON = "application/problem+json"


async def body_of(request: Request, max_bytes: int) -> bytes | int:
    """The body, or its size when that is above `max_bytes`.

    Reads to the end in both cases, so that the client gets the refusal, and stores at most `max_bytes`.
    """
    body, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= max_bytes:
            body += part
    return bytes(body) if size <= max_bytes else size


def platform_of(request: Request) -> Platform:
    return cast(Platform, request.app.state.platform)


class Verbs:
    """ASGI endpoint of one path: a handler per verb, 405 with Allow for the others, refusals answered."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)
        self._allow = ", ".join(sorted(self._handlers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            handler = self._handlers.get(request.method)
            if handler is None:
                raise Problem(
                    405,
                    "The requested method is not allowed for this path.",
                    headers={"Allow": self._allow},
                )
            return await handler(request)
        except Problem as problem:
            return problem_response(problem)
        except JobApiError as error:
            return JSONResponse({"error": error.message}, status_code=error.status, headers=error.headers)
        except ClientDisconnect:
            return Response(status_code=499)  # nginx's code for a client that hung up
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return problem_response(Problem(500, "internal error of the stand-in; the traceback is in its log"))


def problem_response(problem: Problem) -> Response:
    return JSONResponse(problem.body(), status_code=problem.status, headers=problem.headers, media_type=PROBLEM_JSON)


def request_id() -> dict[str, str]:
    return {"x-request-id": str(uuid.uuid4())}


def bearer_token(request: Request, *, bare_allowed: bool) -> str:
    """The key of the Authorization header; the job API accepts it without `Bearer`. Raises Problem 401."""
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if bare_allowed and header and not token:
        return header
    raise unauthorized("missing bearer token")


def same_key(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


@contextlib.asynccontextmanager
async def client_gone(request: Request) -> AsyncIterator[asyncio.Event]:
    """An event that is set when the client of a held request hangs up."""
    gone = asyncio.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue
        gone.set()

    watcher = asyncio.create_task(watch())
    try:
        yield gone
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def wait_first(*events: asyncio.Event, timeout_s: float) -> None:
    """Returns when one of the events is set or the real time is over."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, timeout=max(0.0, timeout_s), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
