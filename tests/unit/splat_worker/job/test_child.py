"""The child process between two jobs."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

MEASURE = """
import os
from splat_worker.job.child import give_memory_back

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

blocks = [b"x" * 60_000 for _ in range(4000)]  # below malloc's mmap threshold
last = b"y" * 60_000  # pins the end of the heap, so that free() returns nothing
del blocks
before = resident()
give_memory_back()
print(before - resident())
"""


def test_memory_that_a_job_freed_returns_to_the_system():
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) > 200_000_000


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_child_ends_when_its_parent_is_killed(system: str, tmp_path: Path) -> None:
    """Linux ends it by itself; elsewhere a thread looks for the parent."""
    pid = tmp_path / "pid"
    child = (
        "import os, pathlib, sys, time; from splat_worker.job import child\n"
        f"sys.platform = {system!r}; child.PARENT_EVERY_S = 0.05; child._die_with_parent()\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        wait_until(lambda: pid.exists() and pid.read_text() != "")
        process.kill()
    wait_until(lambda: not alive(int(pid.read_text())))


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """A zombie, which nobody has waited for yet, is not."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()
