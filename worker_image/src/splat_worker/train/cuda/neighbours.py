"""Distances to nearest neighbours on the GPU, by brute force: seconds on a CPU become milliseconds.
No rule of its own: core/start.py and core/floaters.py say what distances are for.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.train.core import floaters, start

SAMPLE = 4096
_BYTES_AT_ONCE = 1 << 30


def rms_distances(points: np.ndarray, device: str) -> np.ndarray:
    """(N,) root mean square distance of each of (N, 3) points to its nearest others."""
    cloud = torch.tensor(points, device=device)
    near: np.ndarray = _squares(cloud, cloud, start.NEIGHBOURS).mean(1).sqrt().cpu().numpy()
    return near


def lonely(means: Tensor, suspects: Tensor) -> Tensor:
    """(S,) as core/floaters.py asks for, but only suspects are compared: with the median of a sample."""
    step = max(1, len(means) // SAMPLE)
    median = _mean_distance(means[::step], means).median()
    return _mean_distance(means[suspects], means) > floaters.LONELY_FACTOR * median


def _mean_distance(queries: Tensor, means: Tensor) -> Tensor:
    return _squares(queries, means, floaters.NEIGHBOURS).sqrt().mean(1)


def _squares(queries: Tensor, points: Tensor, wanted: int) -> Tensor:
    """(Q, wanted) squared distances of each query, itself one of the points, to its nearest others, ascending."""
    rows = max(1, _BYTES_AT_ONCE // (16 * len(points)))
    out = []
    for chunk in queries.split(rows):
        # Differences and not the expanded square: near points far from the origin would cancel.
        squared = sum((chunk[:, c, None] - points[None, :, c]).square() for c in range(3))
        out.append(squared.topk(wanted + 1, largest=False).values[:, 1:])
    return torch.cat(out)
