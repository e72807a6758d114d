"""Worker processes that a killed stand-in left behind: noted on disk, ended at the next start.
Never touches a process that is not ours: a pid counts only with the start time it was noted with."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from pathlib import Path

log = logging.getLogger(__name__)


class Leftovers:
    """One file per worker: `<pid> <start time in clock ticks since boot>`. Linux; elsewhere it does nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, worker_id: str, pid: int) -> None:
        started = _start_time(pid)
        if started is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / worker_id).write_text(f"{pid} {started}\n")

    def forget(self, worker_id: str) -> None:
        (self._folder / worker_id).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Kills the group of every noted worker that still lives."""
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            pid, _, started = file.read_text().strip().partition(" ")
            if pid.isdecimal() and started and _start_time(int(pid)) == started:
                log.warning("ending worker %s, left over from a stand-in that was killed", file.name)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(int(pid), signal.SIGKILL)
            file.unlink()


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/<pid>/stat; the name in field 2 may hold anything, so count from its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
