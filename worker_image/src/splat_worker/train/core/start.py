"""The first Gaussians of a run, from the sparse cloud: round, as large as the way to the three nearest points.
Knows no device: the caller brings the search for neighbours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.train.core.preset import Preset

SH_C0 = 0.28209479177387814
NEIGHBOURS = 3


def start_from_points(
    posed: PosedPhotos, preset: Preset, rng: np.random.Generator, distances: Callable[[np.ndarray], np.ndarray]
) -> Gaussians:
    """One Gaussian a point; more points than the preset's cap are thinned at random.

    distances: (N, 3) points to (N,) root mean square distance to the NEIGHBOURS nearest others.
    Raises ValueError with fewer than 4 points.
    """
    count = len(posed.points)
    if count <= NEIGHBOURS:
        raise ValueError(f"training starts from a sparse cloud of {count} points, at least {NEIGHBOURS + 1} are needed")
    chosen = np.arange(count)
    if count > preset.gaussians_max:
        chosen = np.sort(rng.choice(count, preset.gaussians_max, replace=False))
    points = posed.points[chosen]
    size = distances(points)
    size = preset.start_size * np.clip(size, 1e-6, np.quantile(size, 0.98))
    n = len(points)
    sh = np.zeros((n, (preset.sh_degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (posed.point_colours[chosen] / 255.0 - 0.5) / SH_C0
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1.0
    opacity = preset.opacity_start
    return Gaussians(
        means=points.astype(np.float32),
        log_scales=np.log(size)[:, None].repeat(3, 1).astype(np.float32),
        quats=quats,
        opacity_logits=np.full(n, np.log(opacity / (1 - opacity)), np.float32),
        sh=sh,
    )
