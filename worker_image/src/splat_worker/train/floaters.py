"""The rule by which stray Gaussians are removed from a scene.
Pure decisions; the trainer applies them before anything is measured.

A Gaussian goes at the end if it is as good as invisible (opacity under 2/255). It goes when densification ends,
with a part of the steps left to close the gap, if it hangs alone in front of a camera: its mean distance to its 8
nearest neighbours is more than 4 times the scene's median, and in the picture of some training camera it is
nearer than half the depth of the nearest sparse points there. Distance to the neighbours alone is no sign: the sky
is made of few, large, lonely Gaussians.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Bool, Camera, Float32, Gaussians
from splat_worker.train.cpu.neighbours import nearest_distances

NEIGHBOURS = 8
LONELY_FACTOR = 4.0
NEAR_FACTOR = 0.5
NEAREST_QUANTILE = 0.02  # "the nearest sparse points" of a picture
OPACITY_MIN = 2.0 / 255.0


def visible_mask(gaussians: Gaussians) -> Bool:
    """(N,) true where the opacity is enough to be seen; all true where none is."""
    opacity = 1.0 / (1.0 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    visible = opacity >= OPACITY_MIN
    return visible if visible.any() else np.ones(len(gaussians), bool)


def keep_mask(gaussians: Gaussians, cameras: tuple[Camera, ...], points: Float32) -> Bool:
    """(N,) true for what stays in mid-training. cameras: the training ones; points: (P, 3) the sparse cloud."""
    keep = visible_mask(gaussians)
    visible = np.flatnonzero(keep)
    if len(visible) <= NEIGHBOURS:
        return np.ones(len(gaussians), bool)
    means = gaussians.means[visible].astype(np.float64)
    distance = nearest_distances(means, NEIGHBOURS).mean(axis=1)
    lonely = distance > LONELY_FACTOR * np.median(distance)
    in_front = np.zeros(len(visible), bool)
    for camera in cameras:
        sparse = _depths_in_picture(points, camera)
        if (sparse > 0).any():
            near = NEAR_FACTOR * np.quantile(sparse[sparse > 0], NEAREST_QUANTILE)
            depth = _depths_in_picture(means, camera)
            in_front |= (depth > 0) & (depth < near)
    keep[visible[lonely & in_front]] = False
    return keep


def _depths_in_picture(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(P,) depth along the optical axis, 0 where the point is behind the camera or outside its picture."""
    x, y, z = camera.world_to_camera[:3, :3] @ points.T.astype(np.float64) + camera.world_to_camera[:3, 3:]
    ahead = np.where(z > 1e-9, z, 1.0)
    u = camera.k[0, 0] * x / ahead + camera.k[0, 2]
    v = camera.k[1, 1] * y / ahead + camera.k[1, 2]
    inside = (z > 1e-9) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
    return np.where(inside, z, 0.0)
