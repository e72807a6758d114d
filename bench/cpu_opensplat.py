"""Runs an OpenSplat binary on our photos and cameras, to measure beside it.
Writes the COLMAP project it reads and names the file it made; knows nothing of our trainer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from splat_worker.scene import PosedPhotos, View

# OpenMP threads that spin while they wait make it 2-5 times slower beside any other process
QUIET_THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}


def train_opensplat(binary: Path, steps: int, work: Path) -> Path:
    """Trains on the project in `work` for `steps` iterations; returns its PLY, which it leaves in our frame.

    Its own schedule is for 30 000 steps on a GPU: it would not densify at all in so short a run, and once
    `--densify-until` is past it moves the optimiser only in every 32nd step. So it densifies to the end, which of
    the schedules tried serves it best.
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
        raise RuntimeError(f"OpenSplat ended with {done.returncode} and this: {(done.stdout + done.stderr)[-800:]}")
    return scene


def write_project(work: Path, views: Sequence[View], posed: PosedPhotos) -> None:
    """A COLMAP project: images/*.png and the binary model, one pinhole camera per photo, points without tracks."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "images").mkdir(parents=True)
    text = work / "text"
    text.mkdir()
    cameras, images = [], []
    for number, view in enumerate(views, start=1):
        name = f"{Path(view.name).stem}.png"
        Image.fromarray(view.image).save(work / "images" / name)
        height, width = view.image.shape[:2]
        k = view.k
        cameras.append(f"{number} PINHOLE {width} {height} {k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}")
        x, y, z, w = pycolmap.Rotation3d(view.world_to_camera[:3, :3]).quat
        tx, ty, tz = view.world_to_camera[:3, 3]
        images.append(f"{number} {w} {x} {y} {z} {tx} {ty} {tz} {number} {name}\n")
    points = [
        f"{number} {x} {y} {z} {r} {g} {b} 0.5"
        for number, ((x, y, z), (r, g, b)) in enumerate(
            zip(posed.points.astype(np.float64), posed.point_colours, strict=True), start=1
        )
    ]
    for name, lines in (("cameras", cameras), ("images", images), ("points3D", points)):
        (text / f"{name}.txt").write_text("\n".join(lines) + "\n")
    model = pycolmap.Reconstruction()
    model.read_text(text)
    sparse = work / "sparse" / "0"
    sparse.mkdir(parents=True)
    model.write_binary(sparse)
    shutil.rmtree(text)
