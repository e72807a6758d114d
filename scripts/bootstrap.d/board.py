"""What a person sees while steps run: one line per step. Always on stderr.
Redraws on a terminal; elsewhere each step prints its line once, when it has ended."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass, field

WIDTH = 110


@dataclass
class Board:
    """Live lines on a terminal, plain lines elsewhere."""

    names: list[str]
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    doing: dict[str, str] = field(default_factory=dict)
    drawn: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.width = max(len(name) for name in self.names)

    def begin(self, name: str) -> None:
        with self.lock:
            self.started[name] = time.monotonic()

    def update(self, name: str, doing: str) -> None:
        """What the step does now: for a terminal only."""
        with self.lock:
            self.doing[name] = doing

    def note(self, sentence: str) -> None:
        """A sentence that stays, above the lines of the steps."""
        with self.lock:
            if self.drawn:
                sys.stderr.write(f"\x1b[{self.drawn}A\x1b[J")
                self.drawn = 0
            print(f"  {sentence}", file=sys.stderr, flush=True)

    def end(self, name: str, outcome: str = "") -> None:
        """outcome: empty when the step is done, else `failed` or `stopped`."""
        with self.lock:
            spent = duration(time.monotonic() - self.started[name])
            self.ended[name] = f"{outcome} after {spent}" if outcome else spent
            if not self.live:
                print(f"  {name:<{self.width}}  {self.ended[name]}", file=sys.stderr, flush=True)

    def draw(self) -> None:
        if not self.live:
            return
        with self.lock:
            lines = [f"  {name:<{self.width}}  {self._state(name)}" for name in self.names]
            up = f"\x1b[{self.drawn}A" if self.drawn else ""
            sys.stderr.write(up + "".join(f"\x1b[2K{line[:WIDTH]}\n" for line in lines))
            sys.stderr.flush()
            self.drawn = len(lines)

    def _state(self, name: str) -> str:
        if name in self.ended:
            return self.ended[name]
        if name in self.started:
            spent = duration(time.monotonic() - self.started[name])
            return f"{self.doing.get(name, '')} … {spent}"
        return "waiting"


def duration(seconds: float) -> str:
    """`9 s`, `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
