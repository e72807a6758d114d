"""The child process between two jobs."""

import subprocess
import sys

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
