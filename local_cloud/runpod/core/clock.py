"""The stand-in's time: a virtual clock that can run faster than the wall and jump forward.
Every module gets its time from this clock; no other module reads the system time."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable


class Clock:
    """Virtual unix seconds (`now`), and real monotonic seconds (`wall_s`) for what real workers do.

    Retention, timeouts, idle time, webhook pauses and billing count virtual seconds; pings and held
    polls count real seconds, because the worker on the other side is a real process.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        speed: float = 1.0,
    ) -> None:
        self._monotonic = monotonic
        self._anchor_virtual_s = wall()
        self._anchor_real_s = monotonic()
        self._speed = speed
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        return self._speed

    def now(self) -> float:
        """Virtual unix time in seconds."""
        return self._anchor_virtual_s + (self._monotonic() - self._anchor_real_s) * self._speed

    def wall_s(self) -> float:
        """Real monotonic seconds, untouched by speed and jumps."""
        return self._monotonic()

    def set_speed(self, speed: float) -> None:
        """Run `speed` virtual seconds per real second from now on; `speed` > 0."""
        self._move_anchor(self.now())
        self._speed = speed
        self._wake_sleepers()

    def advance(self, seconds: float) -> None:
        """Jump forward by `seconds` virtual seconds (>= 0)."""
        self._move_anchor(self.now() + seconds)
        self._wake_sleepers()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` virtual seconds have passed, however the clock is changed meanwhile."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), timeout=left / self._speed)
            except TimeoutError:
                continue

    def _move_anchor(self, virtual_s: float) -> None:
        self._anchor_virtual_s = virtual_s
        self._anchor_real_s = self._monotonic()

    def _wake_sleepers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def rfc3339(unix_s: float) -> str:
    """Unix seconds as an RFC 3339 text in UTC, whole seconds, with `Z` as the API writes it."""
    moment = dt.datetime.fromtimestamp(int(unix_s), tz=dt.UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 text; raises ValueError for any other text and without a time zone."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()
