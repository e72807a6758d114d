"""Limits that protect a worker, and the check of disk and memory before a job starts.
Callers pass counts and bytes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from splat_worker.errors import Code, JobError

MIB = 1024 * 1024

PHOTOS_MIN = 5
"""Fewer photos give no usable scene: two views leave depth undetermined, and the held-out photo trains nothing."""
PHOTOS_MAX = 1000
PHOTO_BYTES_MAX = 64 * MIB
"""Largest file of one photo. A 200 megapixel JPEG from a phone has about 50 MiB."""
PHOTO_BYTES_USUAL = 6 * MIB
"""Assumed size of a photo without a declared size. Phones' 12 to 50 megapixels take 3 to 12 MiB."""
PHOTO_PIXELS_MAX = 250_000_000
"""Largest decoded photo: above 200 megapixel phones, and under 1 GB in memory."""
PHOTO_SIDE_MIN_PX = 200
"""Shorter side below which a photo has too few features to find its camera."""
PHOTO_WORK_SIDE_MIN_PX = 100
"""Shorter side at the working size below which a photo is rejected: a panorama of more than about 10 to 1."""
PROJECT_BYTES_MAX = 8 * 1024 * MIB

VIDEO_BYTES_MAX = 4 * 1024 * MIB
"""Largest file of one clip: 10 minutes of 4K at the 50 Mbit/s of phones."""
VIDEO_SECONDS_MAX = 600
VIDEO_PIXELS_MAX = 36_000_000
"""Largest frame: 8K (7680x4320)."""
VIDEO_STREAMS_MAX = 32
"""Phones write up to 8: picture, sound, and tracks of sensor data."""
VIDEO_FRAMES_PER_S = 2
"""Frames of a clip that become photos, at most: a walk around a subject in a minute gives 120."""
VIDEO_FRAMES_MIN, VIDEO_FRAMES_MAX = 20, 200
VIDEO_MEMORY_BYTES = 6 * 1024 * MIB
"""For the process that decodes a clip. An 8K clip of 10 bits takes 2.6 GB in its decoder."""

DISK_BASE_BYTES = 300 * MIB
"""Space for the match database, the exports and the checkpoint of a small job."""
MEMORY_BASE_BYTES = 700 * MIB
"""torch, numba and pycolmap loaded, before the first photo; measured 640 MiB on Linux x86-64."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes that a job uses at its peak."""

    disk_bytes: int
    memory_bytes: int


def need_of(photo_count: int, photo_bytes: int, side_max_px: int) -> Need:
    """Estimate for `photo_count` photos at `side_max_px`; photo_bytes: bytes still to download.

    Disk: the downloads, one clean copy each (about 1 byte per pixel as JPEG at quality 95) and features.
    Memory: every undistorted photo as 8-bit RGB, its resized copy, and as much again while resizing.
    """
    pixels = side_max_px * side_max_px * 3 // 4
    return Need(
        disk_bytes=DISK_BASE_BYTES + photo_bytes + photo_count * (pixels + 4 * MIB),
        memory_bytes=MEMORY_BASE_BYTES + photo_count * pixels * 12,
    )


def check_room(need: Need, scratch: Path) -> None:
    """Raise OUT_OF_DISK or OUT_OF_MEMORY if the job does not fit on the machine."""
    free_disk = shutil.disk_usage(scratch).free
    if free_disk < need.disk_bytes:
        raise JobError(Code.OUT_OF_DISK, _does_not_fit("disk", free_disk, need.disk_bytes))
    free_memory = available_memory_bytes()
    if free_memory < need.memory_bytes:
        raise JobError(Code.OUT_OF_MEMORY, _does_not_fit("memory", free_memory, need.memory_bytes))


def _does_not_fit(what: str, free: int, needed: int) -> str:
    return f"The job needs about {needed // MIB} MiB of {what}; the worker has {free // MIB} MiB free."


def available_memory_bytes() -> int:
    """Free memory of the machine or of the control group, whichever is smaller."""
    return min(_machine_bytes(Path("/proc/meminfo")), _cgroup_bytes(Path("/sys/fs/cgroup")))


def _machine_bytes(meminfo: Path) -> int:
    """What Linux reports as available; all of the machine's memory where nothing is reported (macOS)."""
    with contextlib.suppress(OSError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_bytes(root: Path) -> int:
    """Free memory of control group v2; a huge number if it sets no limit or does not exist."""
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        cached = sum(
            int(line.split()[1])
            for line in (root / "memory.stat").read_text().splitlines()
            if line.startswith(("inactive_file ", "active_file "))
        )
    except (OSError, ValueError):
        return 1 << 62
    return 1 << 62 if limit == "max" else max(0, int(limit) - used + cached)


def cpu_count() -> int:
    """Cores this process may use, by its affinity mask and the control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def peak_memory_mb() -> int:
    """Peak resident memory of this process in MiB, since the last reset where Linux counts it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere: getrusage(2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // MIB
