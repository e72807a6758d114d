"""The room's numbers that protect a worker, and the check of disk and memory before a job starts.
Never reads a job's content; callers pass counts and bytes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from splat_worker.errors import Code, JobError

MIB = 1024 * 1024

PHOTOS_MIN = 5
"""Fewer photos than this give no scene worth the name: two views leave depth open, the held-out one trains nothing."""
PHOTOS_MAX = 1000
PHOTO_BYTES_MAX = 64 * MIB
"""Largest file of one photo. A 200 megapixel JPEG of a phone is about 50 MiB."""
PHOTO_BYTES_USUAL = 6 * MIB
"""What a photo counts for whose size was not announced; a phone's 12 to 50 megapixels come to 3 to 12 MiB."""
PHOTO_PIXELS_MAX = 250_000_000
"""Largest decoded photo: above the 200 megapixel phones, below what unpacks to a gigabyte."""
PHOTO_SIDE_MIN_PX = 200
"""Shorter side below which features are too few to find the camera."""
PHOTO_WORK_SIDE_MIN_PX = 100
"""Shorter side below which nothing is left of a photo once its longer side is brought to the working size: panoramas
of more than about 10 to 1, which no single camera model describes either."""
PROJECT_BYTES_MAX = 8 * 1024 * MIB

DISK_BASE_BYTES = 300 * MIB
"""Scratch for the match database, the exports and the checkpoint of a small job."""
MEMORY_BASE_BYTES = 700 * MIB
"""Torch, numba and pycolmap loaded, before the first photo; measured 640 MiB on Linux x86-64."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes that a job will use at its worst moment."""

    disk_bytes: int
    memory_bytes: int


def need_of(photo_count: int, photo_bytes: int, side_max_px: int) -> Need:
    """Estimate for `photo_count` photos, worked on at `side_max_px`; photo_bytes: what is still to be fetched of them.

    Disk: the downloads, one canonical copy each (about 1 byte per pixel as JPEG at quality 95) and features.
    Memory: every undistorted photo as 8-bit RGB, its resized copy, and as much again while one becomes the other.
    """
    pixels = side_max_px * side_max_px * 3 // 4
    return Need(
        disk_bytes=DISK_BASE_BYTES + photo_bytes + photo_count * (pixels + 4 * MIB),
        memory_bytes=MEMORY_BASE_BYTES + photo_count * pixels * 12,
    )


def check_room(need: Need, scratch: Path) -> None:
    """Raise OUT_OF_DISK or OUT_OF_MEMORY where the machine cannot hold the job."""
    free_disk = shutil.disk_usage(scratch).free
    if free_disk < need.disk_bytes:
        raise JobError(
            Code.OUT_OF_DISK,
            f"The worker has {free_disk // MIB} MiB of free disk; this job needs about {need.disk_bytes // MIB} MiB.",
        )
    free_memory = available_memory_bytes()
    if free_memory < need.memory_bytes:
        raise JobError(
            Code.OUT_OF_MEMORY,
            f"The worker has {free_memory // MIB} MiB of free memory; "
            f"this job needs about {need.memory_bytes // MIB} MiB.",
        )


def available_memory_bytes() -> int:
    """Memory this process may still take: the smaller of the machine's and the control group's."""
    return min(_machine_bytes(Path("/proc/meminfo")), _cgroup_bytes(Path("/sys/fs/cgroup")))


def _machine_bytes(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_bytes(root: Path) -> int:
    """What control group v2 leaves; a huge number where it sets no limit (or is not there)."""
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
    """Cores this process may use: the affinity mask, cut by the control group's quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))
