"""What a worker printed and what the platform reports about it, line by line.
Bounded: the last lines stay in memory, the first megabytes in one file per worker."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from pathlib import Path

from local_cloud.runpod.core import limits
from local_cloud.runpod.core.signal import Signal

LINE_MAX_CHARS = 64 * 1024
FILE_MAX_CHARS = 32 * 1024 * 1024


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogLine:
    number: int
    ts_s: float
    source: str  # container | system
    line: str


class WorkerLog:
    def __init__(self, file: Path, now: Callable[[], float]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("a", encoding="utf-8", buffering=1)
        self._now = now
        self._lines: deque[LogLine] = deque(maxlen=limits.LOG_LINES_KEPT)
        self._count = 0
        self._file_chars = 0
        self._partial = b""
        self.closed = False
        self.change = Signal()

    @property
    def lines(self) -> tuple[LogLine, ...]:
        return tuple(self._lines)

    def system(self, line: str) -> None:
        self._append("system", line)

    def feed(self, data: bytes) -> None:
        """Raw output of the process; complete lines are stored, the rest waits for its newline."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        for line in whole:
            self._append("container", line.decode("utf-8", "replace").rstrip("\r"))
        if len(self._partial) > LINE_MAX_CHARS:
            self._append("container", self._partial.decode("utf-8", "replace"))
            self._partial = b""

    def close(self) -> None:
        if self._partial:
            self.feed(b"\n")
        self.closed = True
        self._file.close()
        self.change.fire()

    def _append(self, source: str, line: str) -> None:
        if self.closed:
            return
        self._count += 1
        cut = line[:LINE_MAX_CHARS]
        self._lines.append(LogLine(number=self._count, ts_s=self._now(), source=source, line=cut))
        if self._file_chars < FILE_MAX_CHARS:
            self._file_chars += self._file.write(f"{source} | {cut}\n")
        self.change.fire()
