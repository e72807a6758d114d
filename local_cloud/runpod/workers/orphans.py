"""Workers that outlived a killed stand-in: recorded on disk, killed when the next stand-in starts.
A process id counts only together with its start time, so no foreign process is hit."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

from local_cloud import process_group

log = logging.getLogger(__name__)


class Orphans:
    """One file per worker: `<pid> <start time in clock ticks since boot>`. Does nothing outside Linux."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, worker_id: str, pid: int) -> None:
        started = _start_time(pid)
        if started is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / worker_id).write_text(f"{pid} {started}\n")

    def forget(self, worker_id: str) -> None:
        (self._folder / worker_id).unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill the process group of every recorded worker that still runs."""
        if not self._folder.is_dir():
            return
        for file in self._folder.iterdir():
            pid, _, started = file.read_text().strip().partition(" ")
            if pid.isdecimal() and started and _start_time(int(pid)) == started:
                log.warning("killing worker %s, orphaned by a stand-in that was killed", file.name)
                process_group.send(int(pid), signal.SIGKILL)
            file.unlink()


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/<pid>/stat; the name in field 2 can hold anything, so count from its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None
