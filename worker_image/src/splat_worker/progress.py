"""Progress as one typed event, limited to one per second.
Sends nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from splat_worker.errors import Stage

INTERVAL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A new preview of the scene has been uploaded; seq counts from 1."""

    artifact: str
    seq: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """The progress of a job. fraction: 0 to 1 of this stage; eta_s: seconds left in this stage, if known;
    cameras: those found so far, seen from above (job/plan.py), where they are new."""

    stage: Stage
    fraction: float
    message: str
    eta_s: float | None = None
    preview: Preview | None = None
    cameras: tuple[tuple[int, int, int, int], ...] | None = None

    def wire(self) -> dict[str, Any]:
        """The message of docs/contracts/progress.json, without project, attempt and number, which the handler adds."""
        eta_s = None if self.eta_s is None else max(0, round(self.eta_s))
        return {
            "stage": self.stage.value,
            "fraction": round(min(1.0, max(0.0, self.fraction)), 3),
            "message": self.message,
            "eta_s": eta_s,
            "preview": asdict(self.preview) if self.preview else None,
            "cameras": None if self.cameras is None else [list(camera) for camera in self.cameras],
        }


OnEvent = Callable[[Event], None]


def silent(*_: object) -> None:
    """A listener that ignores progress."""


class Throttle:
    """Passes on an event if it is the first of its stage, has a preview or cameras, or comes `interval_s` after
    the last."""

    def __init__(
        self, send: OnEvent, *, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._interval_s, self._clock = send, interval_s, clock
        self._stage: Stage | None = None
        self._last = float("-inf")

    def __call__(self, event: Event) -> None:
        now = self._clock()
        news = event.preview is not None or event.cameras is not None
        if event.stage == self._stage and not news and now - self._last < self._interval_s:
            return
        self._stage, self._last = event.stage, now
        self._send(event)
