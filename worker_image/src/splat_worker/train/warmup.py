"""Compiles every CPU kernel with the types that a training run uses: `python -m splat_worker.train.warmup`.
The installation runs it, so that no user waits for the compiler; a second run compiles nothing.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.trainer import train

_SIZE_PX = 32


def tiny_scene() -> PosedPhotos:
    """Three grey photos of 40 random points: enough to run every kernel."""
    rng = np.random.default_rng(0)
    pose = np.eye(4)
    pose[2, 3] = 3.0
    k = np.array([[30.0, 0, _SIZE_PX / 2], [0, 30.0, _SIZE_PX / 2], [0, 0, 1]])
    image = np.full((_SIZE_PX, _SIZE_PX, 3), 128, np.uint8)
    views = tuple(View(name=f"{i}.png", image=image, world_to_camera=pose, k=k) for i in range(3))
    points = rng.uniform(-0.5, 0.5, (40, 3)).astype(np.float32)
    return PosedPhotos(views=views, points=points, point_colours=np.full((40, 3), 128, np.uint8))


def main() -> int:
    """Trains a tiny scene for a few steps, with and without view-dependent colour. Returns the exit status."""
    started = time.monotonic()
    for sh_degree in (0, 1):
        numbers = {"steps": 6, "size_px": _SIZE_PX, "densify_every": 2, "sh_degree": sh_degree}
        train(tiny_scene(), resolve_preset(PresetName.PREVIEW, Device.CPU, 3, numbers), TrainContext())
    print(f"kernels ready after {time.monotonic() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
