"""Process groups with real processes: they start apart from ours and end as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from local_cloud import process_group

# Prints the process id of its child, then waits.
LEADER = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, {child})
    time.sleep(600)
{handler}
print(child, flush=True)
time.sleep(600)
"""


def started(handler: str = "", child: str = "signal.SIG_IGN") -> tuple[subprocess.Popen[bytes], int]:
    """A leader and the process id of its child."""
    code = LEADER.format(handler=handler, child=child)
    leader = process_group.start([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert leader.stdout is not None
    with leader.stdout as output:
        return leader, int(output.readline())


def lives(process_id: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        with open(f"/proc/{process_id}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(process_id: int) -> bool:
    deadline = time.monotonic() + 5
    while lives(process_id):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_a_command_starts_as_the_leader_of_a_group_of_its_own() -> None:
    leader, child = started()
    assert os.getpgid(child) == leader.pid != os.getpgid(0)
    process_group.end(leader, grace_s=5)


def test_ending_a_group_kills_a_child_that_ignores_the_request() -> None:
    leader, child = started()
    assert process_group.end(leader, grace_s=5) == -signal.SIGTERM
    assert ends(child)


def test_a_leader_that_ignores_the_request_is_killed_after_the_grace() -> None:
    leader, child = started("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    before = time.monotonic()
    assert process_group.end(leader, grace_s=0.3) == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - before < 3
    assert ends(child)


def test_the_request_can_be_another_signal() -> None:
    leader, _ = started("signal.signal(signal.SIGINT, lambda *_: sys.exit(7))")
    assert process_group.end(leader, grace_s=5, ask=signal.SIGINT) == 7


def test_the_leader_alone_can_be_asked_so_that_it_stops_its_children_itself() -> None:
    wait_for_child = (
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(os.waitpid(child, os.WNOHANG)[0])))"
    )
    leader, child = started(wait_for_child, child="signal.SIG_DFL")
    assert process_group.end(leader, grace_s=5, leader_only=True) == 0, "the child got the request too"
    assert ends(child)


def test_a_child_that_outlives_its_leader_is_killed() -> None:
    leader, child = started("print(child, flush=True); sys.exit(3)")
    assert leader.wait() == 3
    assert lives(child)
    assert process_group.end(leader, grace_s=5) == 3
    assert ends(child)


def test_ending_a_group_that_is_gone_returns_the_exit_status() -> None:
    leader = process_group.start([sys.executable, "-c", "raise SystemExit(4)"])
    assert leader.wait() == 4
    assert process_group.end(leader, grace_s=5) == 4
    assert not process_group.send(leader.pid, 0)
