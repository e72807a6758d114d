"""Stands before a stand-in and takes several keys for its one, as a real account has several at a time.
A key is revoked by taking it out of `accepted`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

PASSED_ON = ("content-type", "retry-after", "location")


class KeyGate:
    """`url` in place of the stand-in's; `accepted` are the keys that work right now, `seen` every call in its order."""

    def __init__(self, target: str, key: str, accepted: set[str]) -> None:
        self.target, self.key, self.accepted = target, key, accepted
        self.url = ""
        self.seen: list[str] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.seen.append(f"{handler.command} {handler.path}")
        given = handler.headers.get("authorization", "").removeprefix("Bearer ")
        if given not in self.accepted:
            handler.send_error(401)
            return
        headers = {
            name: value for name, value in handler.headers.items() if name.lower() not in {"host", "authorization"}
        }
        got = httpx.request(
            handler.command,
            self.target + handler.path,
            content=body,
            headers={**headers, "authorization": f"Bearer {self.key}"},
            timeout=60,
        )
        handler.send_response(got.status_code)
        for name in PASSED_ON:
            if name in got.headers:
                handler.send_header(name, got.headers[name])
        handler.send_header("content-length", str(len(got.content)))
        handler.end_headers()
        handler.wfile.write(got.content)


@contextmanager
def key_gate(target: str, key: str, accepted: set[str]) -> Iterator[KeyGate]:
    """A gate on a free port of this machine, closed at the end."""
    gate = KeyGate(target, key, accepted)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            gate.answer(self)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        gate.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield gate
        finally:
            server.shutdown()
            thread.join()
