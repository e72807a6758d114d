"""The time that the machine gives to this suite. Limits count it instead of the clock, so a busy machine, on which
everything takes longer, is no fault of the service. On a quiet machine the two are the same."""

from __future__ import annotations

import threading
import time

MEASURED_EVERY_S = 1.0
# Of CPU time: longer than a turn of the scheduler, so that waiting for the next turn is part of the measure.
WORK_S = 0.04
# A machine without any time for the suite must not stop its limits.
SHARE_MIN = 0.1


class Pace:
    """A clock that runs by the share of time that a busy thread gets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._share = 1.0
        self._began = self._at = time.monotonic()
        self._passed_s = 0.0
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        """Seconds, of any beginning."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._measure, daemon=True)
                self._thread.start()
            return self._advance()

    def mean_share(self) -> float:
        """Of all the time so far; below 1 on a busy machine."""
        with self._lock:
            return self._advance() / max(self._at - self._began, 1e-6)

    def set_share(self, share: float) -> None:
        """From here on this share of a second counts for each second."""
        with self._lock:
            self._advance()
            self._share = min(1.0, max(SHARE_MIN, share))

    def _advance(self) -> float:
        now = time.monotonic()
        self._passed_s += (now - self._at) * self._share
        self._at = now
        return self._passed_s

    def _measure(self) -> None:
        while True:
            self.set_share(busy_share())
            time.sleep(MEASURED_EVERY_S)


def busy_share() -> float:
    """CPU time per second of a thread that has work to do, 0 to 1."""
    began, cpu_s = time.monotonic(), time.thread_time()
    while time.thread_time() - cpu_s < WORK_S:
        pass
    return (time.thread_time() - cpu_s) / (time.monotonic() - began)


PACE = Pace()
