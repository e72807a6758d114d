"""Crops Gaussians by a box or a sphere, with an optional soft edge. Pure: by the middle of each Gaussian.

The same arithmetic runs in the web app's preview (edge_worker/web/src/scene/hidden.ts): change both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from splat_worker.edit.turn import rotation_of
from splat_worker.scene import Float32, Float64, Gaussians

OPACITY_MIN = 1.0 / 255.0
"""A Gaussian that the soft edge leaves fainter than this is dropped: no viewer draws it."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """centre: (3,) scene units; half: (3,) half of each side; quat: (w, x, y, z), the box's axes in the scene."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    quat: tuple[float, float, float, float] = field(default=(1.0, 0.0, 0.0, 0.0))

    def depth(self, points: Float32) -> Float64:
        """(N,) distance to the nearest side in scene units, negative outside. points: (N, 3)."""
        local = (np.asarray(points, np.float64) - np.array(self.centre)) @ rotation_of(self.quat)
        return np.asarray((np.array(self.half) - np.abs(local)).min(axis=1))


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """centre: (3,) scene units; radius: scene units."""

    centre: tuple[float, float, float]
    radius: float

    def depth(self, points: Float32) -> Float64:
        """(N,) distance to the surface in scene units, negative outside. points: (N, 3)."""
        return np.asarray(self.radius - np.linalg.norm(np.asarray(points, np.float64) - np.array(self.centre), axis=1))


Shape = Box | Sphere


def weights(points: Float32, shape: Shape, *, soft: float = 0.0, outside: bool = False) -> Float64:
    """(N,) how much of each point stays, 0 to 1. It rises from 0 at the surface to 1 at `soft` scene units from it, on
    the side that stays."""
    depth = -shape.depth(points) if outside else shape.depth(points)
    if soft <= 0:
        return (depth >= 0).astype(np.float64)
    t = np.clip(depth / soft, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def crop(gaussians: Gaussians, shape: Shape, *, soft: float = 0.0, outside: bool = False) -> Gaussians:
    """The Gaussians whose middle lies in the shape, or outside of it, in their order. A soft edge lowers opacities."""
    return faded(gaussians, weights(gaussians.means, shape, soft=soft, outside=outside))


def faded(gaussians: Gaussians, weight: Float64) -> Gaussians:
    """Gaussians with their opacity times `weight` (N,), without those that can no longer be seen. Those of weight 1
    stay bit by bit."""
    keep = weight > 0
    kept, weight = gaussians.select(keep), weight[keep]
    soft = weight < 1
    if not soft.any():
        return kept
    logits = kept.opacity_logits.astype(np.float64)
    opacity = weight / (1.0 + np.exp(-logits))
    logits[soft] = np.log(opacity[soft] / (1.0 - opacity[soft]))
    changed = Gaussians(
        means=kept.means,
        log_scales=kept.log_scales,
        quats=kept.quats,
        opacity_logits=logits.astype(np.float32),
        sh=kept.sh,
    )
    return changed.select(~soft | (opacity >= OPACITY_MIN))
