"""The shared rule for stray Gaussians (train/floaters.py), on the GPU: seconds on a CPU become milliseconds.
Pure decisions on columns; the run applies them.

The rule asks for the neighbours of every Gaussian. Here only those that stand in front of a camera are asked, as only
they can go, and the scene's median distance is that of a sample.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.scene import Camera
from splat_worker.train.cuda import layout
from splat_worker.train.floaters import LONELY_FACTOR, NEAR_FACTOR, NEAREST_QUANTILE, NEIGHBOURS, OPACITY_MIN

SAMPLE = 4096
_BYTES_AT_ONCE = 1 << 30


def keep_rows(columns: Tensor, cameras: tuple[Camera, ...], points: Tensor) -> Tensor:
    """Indices of the Gaussians that stay. columns: (59, N); points: (P, 3), the sparse cloud."""
    visible = (torch.sigmoid(columns[layout.OPACITY]) >= OPACITY_MIN).nonzero()[:, 0]
    if len(visible) <= NEIGHBOURS:
        return torch.arange(columns.shape[1], device=columns.device)
    means = columns[layout.MEAN, visible].T.contiguous()
    suspects = _in_front(means, cameras, points).nonzero()[:, 0]
    if len(suspects) == 0:
        return visible
    step = max(1, len(means) // SAMPLE)
    median = neighbour_distance(means[::step], means).median()
    lonely = neighbour_distance(means[suspects], means) > LONELY_FACTOR * median
    keep = torch.ones(len(visible), dtype=torch.bool, device=columns.device)
    keep[suspects[lonely]] = False
    return visible[keep]


def neighbour_distance(queries: Tensor, means: Tensor) -> Tensor:
    """(Q,) mean distance of each query, itself one of the means, to its nearest others. (Q, 3), (N, 3)."""
    rows = max(1, _BYTES_AT_ONCE // (16 * len(means)))
    out = []
    for chunk in queries.split(rows):
        squared = sum((chunk[:, c, None] - means[None, :, c]).square() for c in range(3))
        out.append(squared.topk(NEIGHBOURS + 1, largest=False).values[:, 1:].sqrt().mean(1))
    return torch.cat(out)


def _in_front(means: Tensor, cameras: tuple[Camera, ...], points: Tensor) -> Tensor:
    """(N,) true where a Gaussian hides what some camera should see: nearer than half of its nearest sparse points."""
    found = torch.zeros(len(means), dtype=torch.bool, device=means.device)
    for camera in cameras:
        sparse = _depths(points, camera)
        sparse = sparse[sparse > 0]
        if len(sparse):
            near = NEAR_FACTOR * torch.quantile(sparse, NEAREST_QUANTILE)
            depth = _depths(means, camera)
            found |= (depth > 0) & (depth < near)
    return found


def _depths(points: Tensor, camera: Camera) -> Tensor:
    """(P,) depth along the optical axis, 0 where a point is behind the camera or outside its picture."""
    pose = torch.tensor(camera.world_to_camera, dtype=torch.float32, device=points.device)
    x, y, z = (points @ pose[:3, :3].T + pose[:3, 3]).unbind(1)
    ahead = torch.where(z > 1e-9, z, torch.ones_like(z))
    u = camera.k[0, 0] * x / ahead + camera.k[0, 2]
    v = camera.k[1, 1] * y / ahead + camera.k[1, 2]
    inside = (z > 1e-9) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    return torch.where(inside, z, torch.zeros_like(z))
