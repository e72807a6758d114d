"""RunPod's worker protocol on a free port: take, stop, done, ping, and a bucket for presigned files.
Written from the requests of runpod-python 1.12; holds polls like the platform."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOLD_S = 1.0


@dataclass
class RunPodServer:
    """jobs: waiting jobs; done: (job id, body) of every result; objects: path to bytes of the bucket."""

    jobs: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    stops: queue.Queue[str] = field(default_factory=queue.Queue)
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hooks: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    puts: dict[str, str] = field(default_factory=dict)
    hold_get: threading.Event = field(default_factory=threading.Event)
    first_take_at: float | None = None

    def __enter__(self) -> RunPodServer:
        self.hold_get.set()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What the platform sets in a worker."""
        return {
            "RUNPOD_POD_ID": "worker-1",
            "RUNPOD_AI_API_KEY": "key-of-the-worker",
            "RUNPOD_WEBHOOK_GET_JOB": f"{self.url}/v2/ep/job-take/$ID?gpu=x",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{self.url}/v2/ep/job-done/$RUNPOD_POD_ID/$ID?gpu=x",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{self.url}/v2/ep/job-stream/$RUNPOD_POD_ID/$ID?gpu=x",
            "RUNPOD_WEBHOOK_PING": f"{self.url}/v2/ep/ping/$RUNPOD_POD_ID?gpu=x",
            "RUNPOD_PING_INTERVAL": "10000",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
            "SPLAT_ALLOW_PRIVATE_ADDRESSES": "true",
        }

    def result(self, job_id: str, timeout_s: float) -> dict[str, Any]:
        """The final answer of a job. Fails the test if there is none."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for found, body in list(self.done):
                if found == job_id and body.get("status") != "IN_PROGRESS":
                    return body
            time.sleep(0.05)
        raise AssertionError(f"no result of {job_id} within {timeout_s} s; posts so far: {len(self.done)}")

    def progress(self, job_id: str) -> list[dict[str, Any]]:
        return [b["output"] for found, b in list(self.done) if found == job_id and b.get("status") == "IN_PROGRESS"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """These tests kill workers in the middle of a poll."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler_of(server: RunPodServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if "/job-take/" in path:
                server.first_take_at = server.first_take_at or time.monotonic()
                self._poll(server.jobs, lambda job: job)
            elif "/job-stop/" in path:
                self._poll(server.stops, lambda job_id: {"jobsToStop": [job_id]})
            elif "/ping/" in path:
                self._answer(200, b"")
            elif path in server.objects:
                server.hold_get.wait(60)
                self._answer(200, server.objects[path])
            else:
                self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")

        def do_PUT(self) -> None:
            path = urlsplit(self.path).path
            server.objects[path] = self._body()
            server.puts[path] = self.headers.get("content-type", "")
            self._answer(200, b"")

        def do_POST(self) -> None:
            path, body = urlsplit(self.path).path, self._body()
            if "/job-done/" in path:
                server.done.append((path.rsplit("/", 1)[1], json.loads(body)))
                self._answer(200, b"{}")
            elif path == "/hook":
                server.hooks.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self._answer(204, b"")
            else:
                self._answer(404, b"")

        def _poll(self, source: queue.Queue[Any], shape: Any) -> None:
            try:
                item = source.get(timeout=HOLD_S)
            except queue.Empty:
                self._answer(204, b"")
                return
            self._answer(200, json.dumps(shape(item)).encode(), "application/json")

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                raise AssertionError("presigned PUTs need a content-length")
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    return Handler
