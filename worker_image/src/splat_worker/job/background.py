"""One thread that does the newest piece of work and drops what it overtook: previews and checkpoints.
Never lets a failure of such work reach the job.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Latest:
    """offer() hands over work without waiting; while one piece runs, only the newest offer is kept."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._next: Callable[[], None] | None = None
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        with self._changed:
            return self._next is None and not self._busy

    def offer(self, work: Callable[[], None]) -> None:
        with self._changed:
            if not self._closed:
                self._next = work
                self._changed.notify_all()

    def close(self, *, finish: bool, timeout_s: float | None = None) -> None:
        """Wait for the running piece, no longer than `timeout_s`; do the waiting one too if `finish`, else drop it."""
        with self._changed:
            self._closed = True
            if not finish:
                self._next = None
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._closed)
                work, self._next = self._next, None
                if work is None:
                    return
                self._busy = True
            try:
                work()
            except Exception as error:  # by contract: a lost preview or checkpoint never fails a job
                log.warning("%s was lost: %s", self._name, error if hasattr(error, "code") else type(error).__name__)
            finally:
                with self._changed:
                    self._busy = False
