"""What goes wrong inside the worker's child process. Each is the real condition, not only its exception."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
ROOM_BYTES = 64 * MIB
# Far above the disk of the suite's workers: without a limit the act must not fill the machine.
DISK_MAX_BYTES = 1 << 30


def memory(_: Path) -> None:
    """Allocate until the process's address space is used up."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES, limits[1]))
    taken = []
    try:
        while True:
            taken.append(bytearray(MIB))
    finally:
        taken.clear()
        resource.setrlimit(resource.RLIMIT_AS, limits)


def killed(_: Path) -> None:
    """What the kernel does to the largest process when a control group's memory is used up."""
    os.kill(os.getpid(), signal.SIGKILL)


def disk(scratch: Path) -> None:
    """Write until the disk is full."""
    with (scratch / "filler").open("wb", buffering=0) as file:
        for _ in range(DISK_MAX_BYTES // MIB):
            file.write(bytes(MIB))
    raise AssertionError("the worker's disk has no limit")


def cuda(_: Path) -> None:
    """torch's own error of a full GPU. It cannot be provoked without one."""
    from torch import OutOfMemoryError

    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.64 GiB")


ACTS: dict[str, Callable[[Path], None]] = {"memory": memory, "killed": killed, "disk": disk, "cuda": cuda}
