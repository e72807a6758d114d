"""A thread that handles the newest item and drops the items it overtook: previews, checkpoints, progress messages.
A failure in this thread never reaches the job.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Latest(Generic[T]):
    """offer() hands over an item without waiting. While one is handled, only the newest offer is kept.

    merge(waiting, new): the item that replaces a waiting one, by default `new`.
    """

    def __init__(self, name: str, handle: Callable[[T], None], merge: Callable[[T, T], T] = lambda _, new: new) -> None:
        self._name, self._handle, self._merge = name, handle, merge
        self._waiting: T | None = None
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        with self._changed:
            return self._waiting is None and not self._busy

    def offer(self, item: T) -> None:
        with self._changed:
            if not self._closed:
                self._waiting = item if self._waiting is None else self._merge(self._waiting, item)
                self._changed.notify_all()

    def close(self, *, finish: bool, timeout_s: float | None = None) -> None:
        """Wait at most `timeout_s` for the current item, and for the waiting one if `finish`, which else is dropped."""
        with self._changed:
            self._closed = True
            if not finish:
                self._waiting = None
            self._changed.notify_all()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._closed)
                item, self._waiting = self._waiting, None
                if item is None:
                    return
                self._busy = True
            try:
                self._handle(item)
            except Exception as error:  # a lost preview, checkpoint or message must not fail the job
                log.warning("lost a %s: %s", self._name, error if hasattr(error, "code") else type(error).__name__)
            finally:
                with self._changed:
                    self._busy = False
