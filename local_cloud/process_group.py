"""Process groups: start a command as the leader of a new one, ask the whole group to stop, then kill it.
Standard library only, so that set-up can use it before any package is installed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own; its process id is also the id of its group.

    options: as for subprocess.Popen. Raises OSError when the command cannot be started.
    """
    return subprocess.Popen(command, start_new_session=True, **options)


def send(group: int, number: int) -> bool:
    """Send a signal to every process of a group. Returns False when the group is gone.

    Signal 0 only asks whether the group exists. The group need not consist of our children.
    """
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


def end(
    leader: subprocess.Popen[bytes], *, grace_s: float, ask: int = signal.SIGTERM, leader_only: bool = False
) -> int:
    """Ask the group to stop, wait for its leader, then kill what is left. Returns the leader's exit status.

    leader_only: ask the leader alone, for a program that stops its own children in order.
    Safe when the leader or the whole group is gone already. An exception while it waits, such as a second
    Ctrl-C, kills the group at once.
    """
    try:
        if leader.poll() is None:
            if leader_only:
                leader.send_signal(ask)
            else:
                send(leader.pid, ask)
            with contextlib.suppress(subprocess.TimeoutExpired):
                leader.wait(grace_s)
    finally:
        send(leader.pid, signal.SIGKILL)
        status = leader.wait()
    return status
