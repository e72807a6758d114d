"""An engine that is killed with everything it started. Kills only the family of a process that a test holds."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any


def kill_all(process: subprocess.Popen[Any]) -> None:
    """SIGKILL to the engine first, then to everything it had started: its plugins have groups of their own."""
    family = descendants(process.pid)
    process.kill()
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def descendants(pid: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found
