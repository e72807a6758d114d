"""Seconds from starting the handler to its first job request: `python bench/handler_start.py [COMMAND...]`.
Standard library only, and no import of ours: it also runs inside a container. The first start warms the disk.

From a checkout:  .venv-worker/bin/python bench/handler_start.py
In the image:     docker run --rm --network none -v "$PWD/bench/handler_start.py:/probe.py:ro" IMAGE python /probe.py \\
                  /opt/splat/image/start handler
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STARTS = 4
LIMIT_S = 120


class Platform(ThreadingHTTPServer):
    """Answers every poll with "no job", and sets `polled` on the first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Poll)
        self.polled = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Poll(BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        if "/job-take/" in self.path:
            self.server.polled.set()
            time.sleep(0.2)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet: the figures go to stdout."""


def seconds_to_first_poll(command: list[str]) -> tuple[float, float]:
    """By the clock, and without the time in which the handler's main thread was ready to run and another program had
    the processor: the seconds of a quiet machine."""
    platform = Platform()
    root = f"http://127.0.0.1:{platform.server_address[1]}"
    environment = {
        **os.environ,
        "RUNPOD_POD_ID": "worker-1",
        "RUNPOD_ENDPOINT_ID": "bench",
        "RUNPOD_AI_API_KEY": "none",
        "RUNPOD_WEBHOOK_GET_JOB": f"{root}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{root}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{root}/ping/$RUNPOD_POD_ID?gpu=none",
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
    }
    began = time.monotonic()
    quiet = subprocess.DEVNULL
    handler = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True)
    try:
        if not platform.polled.wait(LIMIT_S):
            raise SystemExit(f"no job request within {LIMIT_S} s: run `{' '.join(command)}` by hand and read its log")
        seconds = time.monotonic() - began
        return seconds, seconds - kept_waiting_s(handler.pid)
    finally:
        os.killpg(handler.pid, signal.SIGKILL)
        handler.wait()
        platform.shutdown()
        platform.server_close()


def kept_waiting_s(pid: int) -> float:
    """Seconds that the kernel let the main thread of a process wait for a processor (Linux)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def main() -> int:
    command = sys.argv[1:] or [sys.executable, "-m", "splat_worker.handler"]
    starts = [tuple(round(one, 2) for one in seconds_to_first_poll(command)) for _ in range(STARTS)]
    warm, on_quiet = (sorted(times) for times in zip(*starts[1:], strict=True))
    print(json.dumps({"first_s": starts[0][0], "warm_s": warm, "warm_on_a_quiet_machine_s": on_quiet}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
