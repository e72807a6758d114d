"""Ctrl-C and SIGTERM in a run from a shell: the run ends by an exception, so that nothing stays behind.

A signal can strike inside a compiled kernel, which turns the exception into one of its own. `Stopping.by` then still
tells what happened.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

SOON = b"\nStopping after the current step. Press Ctrl-C again to stop at once.\n"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass
class Stopping:
    """by: the signal that came, if one did."""

    by: signal.Signals | None = None

    @property
    def exit_code(self) -> int:
        """As a shell reports a command that a signal ended."""
        return 128 + (self.by or signal.SIGINT)


@contextlib.contextmanager
def stoppable() -> Iterator[Stopping]:
    """Within it, the first signal raises KeyboardInterrupt and a second one kills."""
    stopping = Stopping()
    # A command that nohup or a script started with a signal ignored keeps ignoring it.
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.getsignal(number) for number in heard}

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.by = signal.Signals(number)
        for one in heard:
            signal.signal(one, signal.SIG_DFL)
        # Not by print: the signal may have struck inside one.
        os.write(sys.stderr.fileno(), SOON)
        raise KeyboardInterrupt

    for number in heard:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
