"""A proxy between the providers and the stand-ins that cuts a run at a chosen request.
Forwards bytes as they are; knows requests by method and path only, never what they mean."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What the services make up anew in each run: RunPod's ids (14 of 0-9 a-z), Cloudflare's token ids.
_MADE_UP = re.compile(r"(?<=/)(?:[0-9a-z]{14}|[0-9a-f]{32})(?=/|$)")
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
FORWARD_LIMIT_S = 60


class When(StrEnum):
    """Whether the service did what the request asked before it was cut."""

    BEFORE = "before"
    AFTER = "after"


class How(StrEnum):
    """What breaks. `NETWORK` stays broken until the run has ended; `GLITCH` is this one request."""

    ENGINE = "engine killed"
    PROVIDER = "provider killed"
    NETWORK = "network gone"
    GLITCH = "connection reset"


@dataclass(frozen=True, kw_only=True)
class Step:
    """The nth request of this method and path in a run."""

    request: str
    nth: int = 1

    def __str__(self) -> str:
        return self.request if self.nth == 1 else f"{self.request} ({self.nth})"

    @property
    def changes(self) -> bool:
        """Whether it asks for a change."""
        return not self.request.startswith(("GET ", "HEAD "))


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One way to break one run."""

    step: Step
    when: When
    how: How

    def __str__(self) -> str:
        return f"{self.how} {self.when} {self.step}"


class CutProxy:
    """Listens once per service. One run at a time: `begin`, the run, `end`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._servers: list[ThreadingHTTPServer] = []
        self._open = 0
        self._last_s = 0.0
        self._seen: Counter[str] = Counter()
        self._steps: list[Step] = []
        self._cut: Cut | None = None
        self._act: Callable[[str], None] = lambda _: None
        self._struck = False
        self._down = False

    def listen(self, target: str) -> str:
        """Address of a new listener that forwards to `target`, with the same path."""
        proxy, where = self, urlsplit(target)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                proxy.serve(self, where.netloc)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _serve

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._servers.append(server)
        return f"http://127.0.0.1:{server.server_port}{where.path}"

    def begin(self, cut: Cut | None, act: Callable[[str], None]) -> None:
        """Count from here; at the cut's step call `act` with the service's listener path."""
        with self._lock:
            self._seen, self._steps, self._cut, self._act = Counter(), [], cut, act
            self._struck = self._down = False

    def end(self, *, quiet_s: float = 0.15) -> tuple[Step, ...]:
        """Wait until no request is open, restore the network, and return the steps that were taken."""
        while True:
            with self._lock:
                if not self._open and (not self._struck or time.monotonic() - self._last_s > quiet_s):
                    self._cut, self._down = None, False
                    return tuple(self._steps)
            time.sleep(0.02)

    @property
    def struck(self) -> bool:
        return self._struck

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler, target: str) -> None:
        """One request: forward it, or cut it."""
        path = handler.path.partition("?")[0]
        request = f"{handler.command} {_MADE_UP.sub('*', path)}"
        with self._lock:
            self._open += 1
            self._last_s = time.monotonic()
            self._seen[request] += 1
            step = Step(request=request, nth=self._seen[request])
            self._steps.append(step)
            down = self._down
            cut = self._cut if self._cut is not None and self._cut.step == step and not down else None
        try:
            if down:
                _reset(handler)
                return
            if cut is not None and cut.when is When.BEFORE:
                self._strike(cut, request)
                _reset(handler)
                return
            status, headers, body = _forward(handler, target)
            if cut is not None:
                self._strike(cut, request)
            if cut is not None or self._down:
                _reset(handler)
                return
            _answer(handler, status, headers, body)
        finally:
            with self._lock:
                self._open -= 1
                self._last_s = time.monotonic()

    def _strike(self, cut: Cut, request: str) -> None:
        with self._lock:
            self._struck = True
            self._down = cut.how in (How.ENGINE, How.NETWORK)
        self._act(request)


def _forward(handler: BaseHTTPRequestHandler, target: str) -> tuple[int, list[tuple[str, str]], bytes]:
    length = int(handler.headers.get("Content-Length") or 0)
    sent = handler.rfile.read(length) if length else b""
    onward = http.client.HTTPConnection(target, timeout=FORWARD_LIMIT_S)
    try:
        # The Host header as it came: it is part of what an S3 request signs.
        onward.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                onward.putheader(name, value)
        onward.endheaders(sent)
        answer = onward.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        onward.close()


def _answer(handler: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    handler.close_connection = True
    try:
        handler.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)
    except OSError:
        pass  # whoever asked is gone, which is what these tests are about


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Close with RST, as a crashed peer or a broken middlebox does."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
