"""The first Gaussians of a run, from the sparse cloud, computed on the GPU.
The same rule as the shared trainer's (train/model.py): round, as large as the way to the three nearest points.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Gaussians, PosedPhotos

SH_C0 = 0.28209479177387814
NEIGHBOURS = 3
_ROWS_AT_ONCE = 2048


def start_from_points(
    posed: PosedPhotos, *, limit: int, sh_degree: int, opacity: float, seed: int, device: str, times: float = 1.0
) -> Gaussians:
    """At most `limit` Gaussians, thinned at random where the cloud has more points; `times` their usual size.

    Raises ValueError with fewer than 4 points.
    """
    count = len(posed.points)
    if count <= NEIGHBOURS:
        raise ValueError(f"training starts from a sparse cloud of {count} points, at least {NEIGHBOURS + 1} are needed")
    chosen = np.arange(count)
    if count > limit:
        chosen = np.sort(np.random.default_rng(seed).choice(count, limit, replace=False))
    points = posed.points[chosen]
    size = mean_distance(torch.from_numpy(points).to(device)).cpu().numpy()
    size = times * np.clip(size, 1e-6, np.quantile(size, 0.98))
    n = len(points)
    sh = np.zeros((n, (sh_degree + 1) ** 2, 3), np.float32)
    sh[:, 0] = (posed.point_colours[chosen] / 255.0 - 0.5) / SH_C0
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1.0
    return Gaussians(
        means=points,
        log_scales=np.log(size)[:, None].repeat(3, 1).astype(np.float32),
        quats=quats,
        opacity_logits=np.full(n, np.log(opacity / (1 - opacity)), np.float32),
        sh=sh,
    )


def mean_distance(points: Tensor) -> Tensor:
    """(N,) root mean square distance of each of (N, 3) points to its three nearest others."""
    out = []
    for rows in points.split(_ROWS_AT_ONCE):
        # Differences and not the expanded square: near points far from the origin would cancel.
        squared = (rows[:, None, :] - points[None]).square().sum(-1)
        out.append(squared.topk(NEIGHBOURS + 1, largest=False).values[:, 1:].mean(1).sqrt())
    return torch.cat(out)
