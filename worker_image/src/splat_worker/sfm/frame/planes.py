"""The large planes of a point cloud: ground, tables, walls. Pure geometry on arrays, deterministic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float64

POINTS_MIN = 50
SAMPLE_MAX = 4000
TRIPLES = 400
THICKNESS = 0.015
"""Half thickness of a plane, as a share of the cloud's spread. The best plane through a round cloud of points holds
5 % of them."""
PLANES_MAX = 3
SHARE_MIN = 0.15
CONTRAST_MIN = 3.0
"""Points of a plane for each point in the layers beside it, which are as thick. A slice of a cloud has one."""
SEED = 20261123


@dataclass(frozen=True, kw_only=True)
class Plane:
    """normal: (3,) unit, either sign; middle: (3,) mean of its points; share: of all points."""

    normal: Float64
    middle: Float64
    share: float


def find_planes(points: Float64) -> tuple[Plane, ...]:
    """At most PLANES_MAX planes that hold SHARE_MIN of the points (P, 3) each, the largest first. No point counts
    twice."""
    if len(points) < POINTS_MIN:
        return ()
    rng = np.random.default_rng(SEED)
    sample = points[rng.choice(len(points), min(len(points), SAMPLE_MAX), replace=False)]
    spread = float(np.linalg.norm(np.percentile(sample, 90, axis=0) - np.percentile(sample, 10, axis=0)))
    found: list[Plane] = []
    rest = sample
    while len(found) < PLANES_MAX and len(rest) >= max(3, SHARE_MIN * len(sample)):
        fit = _largest(rest, THICKNESS * spread, rng)
        if fit is None:
            break
        normal, middle, on_plane = fit
        share = float(on_plane.sum()) / len(sample)
        if share < SHARE_MIN:
            break
        found.append(Plane(normal=normal, middle=middle, share=share))
        rest = rest[~on_plane]
    return tuple(found)


def _largest(points: Float64, thickness: float, rng: np.random.Generator) -> tuple[Float64, Float64, np.ndarray] | None:
    """Normal, middle and members (P,) of the plane that holds the most points; None if they form no plane."""
    triples = points[rng.integers(0, len(points), (TRIPLES, 3))]
    normals = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    usable = lengths > 1e-6 * max(thickness, 1e-300) ** 2
    if not usable.any():
        return None
    normals = normals[usable] / lengths[usable, None]
    heights = normals @ points.T - np.einsum("ij,ij->i", normals, triples[usable, 0])[:, None]
    best = int((np.abs(heights) < thickness).sum(axis=1).argmax())
    members = np.abs(heights[best]) < thickness
    for _ in range(2):
        if members.sum() < 3:
            return None
        middle = points[members].mean(axis=0)
        normal = np.linalg.svd(points[members] - middle, full_matrices=False)[2][2]
        height = np.abs((points - middle) @ normal)
        members = height < thickness
    beside = int(((height >= thickness) & (height < 2.0 * thickness)).sum())
    return (normal, middle, members) if members.sum() >= CONTRAST_MIN * beside else None
