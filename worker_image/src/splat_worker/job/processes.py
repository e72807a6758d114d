"""What the processes of a worker share: the end of a process group, and logs that hold no credentials."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time


def kill_group(group: int) -> None:
    """SIGKILL to every process of the group. The caller reaps its own child."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def wait_for_group(group: int, timeout_s: float = 1.0) -> None:
    """Wait until the group has no process left. init reaps grandchildren moments after their parent ends."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.01)


def log_to_stderr() -> None:
    """httpx and httpcore log URLs, and presigned URLs are credentials."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
