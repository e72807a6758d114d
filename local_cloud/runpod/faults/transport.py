"""Carries HTTP faults out: delays, refuses, breaks connections before or after the effect.
scripted.py decides which fault strikes. The control API is never affected."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from local_cloud.runpod.faults.scripted import Fault, Faults, Kind

# Client address -> transport of its connection. ASGI cannot break a connection, so the protocol class below
# records each transport.
_transports: MutableMapping[tuple[str, int], asyncio.Transport] = {}


class RecordingProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol that remembers its transport while the connection lives."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._peer = tuple((transport.get_extra_info("peername") or ("", 0))[:2])
        _transports[self._peer] = transport
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        _transports.pop(self._peer, None)
        super().connection_lost(exc)


def reset_connection(client: tuple[str, int]) -> None:
    """Closes with RST, as a crashed peer does."""
    transport = _transports.get(client)
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class FaultyTransport:
    """Outermost ASGI layer; requests under /_control pass untouched."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_control/"):
            await self._app(scope, receive, send)
            return
        faults = self._faults.for_request(scope["method"], scope["path"])
        if await _struck_before(faults, scope, receive, send):
            return
        after = [fault for fault in faults if fault.kind not in _BEFORE]
        if not after:
            await self._app(scope, receive, send)
            return
        answer: list[Message] = []
        await self._app(scope, receive, _collect_in(answer))
        await asyncio.sleep(sum(fault.latency_s for fault in after if fault.kind is Kind.LATE_ANSWER))
        kinds = {fault.kind: fault for fault in after}
        if Kind.LOST_ANSWER in kinds:
            reset_connection(tuple(scope["client"]))
        elif (failed := kinds.get(Kind.FAILED_ANSWER)) is not None:
            await _refuse(failed.status, failed.retry_after_s)(scope, receive, send)
        else:
            for message in answer:
                await send(message)


_BEFORE = frozenset({Kind.LATENCY, Kind.RESET, Kind.STATUS})


async def _struck_before(faults: Sequence[Fault], scope: Scope, receive: Receive, send: Send) -> bool:
    """Whether a fault ended the exchange before the request had any effect."""
    for fault in faults:
        if fault.kind is Kind.LATENCY:
            await asyncio.sleep(fault.latency_s)
        elif fault.kind is Kind.RESET:
            reset_connection(tuple(scope["client"]))
            return True
        elif fault.kind is Kind.STATUS:
            await _refuse(fault.status, fault.retry_after_s)(scope, receive, send)
            return True
    return False


def _collect_in(answer: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        answer.append(message)

    return keep


def _refuse(status: int, retry_after_s: int | None) -> JSONResponse:
    body: dict[str, Any] = {"title": "Injected fault", "status": status, "detail": "a scripted fault struck"}
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")
