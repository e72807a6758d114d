"""Which Gaussians float in front of the cameras and are removed.
Pure decisions; a trainer brings the search for neighbours and drops the rows.

At the end a Gaussian goes if nobody can see it (opacity under 2/255). When densification ends, with a part of the
steps left to close the gap, it goes if it hangs alone in front of a camera: its mean distance to its 8 nearest
neighbours is more than 4 times the scene's median, and in the picture of some training camera it is nearer than half
the depth of the nearest sparse points there. Distance to the neighbours alone is no sign: the sky is made of few,
large, lonely Gaussians.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera, Float32

NEIGHBOURS = 8
LONELY_FACTOR = 4.0
NEAR_FACTOR = 0.5
NEAREST_QUANTILE = 0.02  # "the nearest sparse points" of a picture
OPACITY_MIN = 2.0 / 255.0


def visible_rows(opacity_logits: Tensor) -> Tensor:
    """Indices of the Gaussians whose opacity is enough to be seen; all of them where none is."""
    rows = (opacity_logits.detach().double().sigmoid() >= OPACITY_MIN).nonzero()[:, 0]
    return rows if len(rows) else torch.arange(len(opacity_logits), device=opacity_logits.device)


def rows_to_keep(
    means: Tensor,
    opacity_logits: Tensor,
    cameras: tuple[Camera, ...],
    points: Float32,
    lonely: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Indices of the Gaussians that stay in mid-training.

    means: (N, 3); cameras: the training ones; points: (P, 3) the sparse cloud; lonely(means, suspects): for indices
    (S,) of suspects, (S,) whether each is lonely among `means`.
    """
    visible = visible_rows(opacity_logits)
    if len(visible) <= NEIGHBOURS:
        return torch.arange(len(means), device=means.device)
    means = means.detach()[visible]
    suspects = _in_front(means, cameras, points).nonzero()[:, 0]
    if len(suspects) == 0:
        return visible
    keep = torch.ones(len(visible), dtype=torch.bool, device=means.device)
    keep[suspects[lonely(means, suspects)]] = False
    return visible[keep]


def _in_front(means: Tensor, cameras: tuple[Camera, ...], points: Float32) -> Tensor:
    """(N,) whether a Gaussian hides what some camera should see: nearer than half of its nearest sparse points."""
    found = torch.zeros(len(means), dtype=torch.bool, device=means.device)
    cloud = torch.tensor(points)  # a copy: the caller's may be read-only
    for camera in cameras:
        sparse = _depths(cloud, camera).numpy()
        if (sparse > 0).any():
            near = NEAR_FACTOR * float(np.quantile(sparse[sparse > 0], NEAREST_QUANTILE))
            depth = _depths(means, camera)
            found |= (depth > 0) & (depth < near)
    return found


def _depths(points: Tensor, camera: Camera) -> Tensor:
    """(P,) float64 depth along the optical axis, 0 where the point is behind the camera or outside its picture."""
    pose = torch.tensor(camera.world_to_camera, dtype=torch.float64, device=points.device)
    x, y, z = pose[:3, :3] @ points.double().T + pose[:3, 3:]
    ahead = torch.where(z > 1e-9, z, 1.0)
    u = camera.k[0, 0] * x / ahead + camera.k[0, 2]
    v = camera.k[1, 1] * y / ahead + camera.k[1, 2]
    inside = (z > 1e-9) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    return torch.where(inside, z, 0.0)
