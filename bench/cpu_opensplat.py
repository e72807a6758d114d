"""Runs an OpenSplat binary on a COLMAP folder, to measure beside it. It depends on nothing of our trainer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# OpenMP threads that spin while they wait make it 2 to 5 times slower beside any other process.
QUIET_THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def train_opensplat(binary: Path, steps: int, work: Path) -> Path:
    """Trains on the folder `work` for `steps` iterations; returns its PLY, in our frame. Raises RuntimeError.

    Its own schedule is for 30 000 steps on a GPU: it would not densify at all in so short a run, and after
    `--densify-until` it moves the optimiser only in every 32nd step. So it densifies to the end, which gave the best
    result of the schedules tried.
    """
    scene = work / "scene.ply"
    command = [
        str(binary.resolve()),
        str(work),
        *("-n", str(steps), "-d", "1", "-o", str(scene)),
        *("--densify-from", "100", "--refine-every", "100" if steps <= 1000 else "150"),
        *("--densify-until", str(steps)),
    ]
    done = subprocess.run(command, env={**os.environ, **QUIET_THREADS}, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not scene.exists():
        raise RuntimeError(f"OpenSplat ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}")
    return scene
