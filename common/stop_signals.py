"""One way to stop a command: SIGTERM and a closed terminal do what Ctrl-C does.
For entry points only; a library leaves signals alone."""

from __future__ import annotations

import signal
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGHUP)


def stop_as_ctrl_c() -> None:
    """Raise KeyboardInterrupt in the main thread at SIGTERM and SIGHUP, so that one clean-up serves them all.
    A signal that the parent ignores stays ignored: `nohup` has to keep working."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
