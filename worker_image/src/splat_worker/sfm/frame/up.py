"""The up direction of a scene, from everything that speaks for one. Pure geometry on arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.frame.cameras import camera_evidence
from splat_worker.sfm.frame.evidence import AGREES_MAX_DEG, Evidence, Tags, Up, UpFrom, around, square_to, weighed
from splat_worker.sfm.frame.planes import Plane, find_planes
from splat_worker.sfm.frame.tags import tag_evidence

KNOWN_ERROR_MAX_DEG = 2.2
"""A claim must hold within 5 degrees, more than two standard deviations."""
WITHOUT_PLANES_MAX_DEG = 5.0
"""Above this, nothing but planes would make the direction exact, and some planes slant."""
CONTESTED_ERROR_MAX_DEG = 1.5
"""Evidence that a large plane nearly agrees with must be this exact to stand against it, as level cameras on a hillside
do. Otherwise one of both is wrong."""
GROUND_SIGMA_DEG = 0.7
WALL_SIGMA_DEG = 1.0


def find_up(poses: Float64, points: Float64, tags: Sequence[Tags] = ()) -> Up:
    """poses: (C, 4, 4) world to camera; points: (P, 3) world; tags: of the C photos, or none at all.

    What sensors measured comes before what cameras suggest. Whatever agrees with it makes it more exact. Planes never
    decide alone: a wall is as flat as a floor.
    """
    planes = find_planes(points)
    cameras = camera_evidence(poses, points, planes)
    measured = sorted(tag_evidence(poses, tags), key=lambda evidence: evidence.error_deg)
    base, *others = (*measured, cameras)
    contradicted = any(not base.agrees(other.direction, other.error_deg) for other in others if other in measured)
    forms = [e.precision for e in others if e.trusted and base.agrees(e.direction, e.error_deg)]
    without = weighed(base, forms) if base.precision.any() else base
    found, ground, contested = _with_planes(without, planes)
    sure = not contradicted and not (contested and without.error_deg > CONTESTED_ERROR_MAX_DEG)
    error_deg = found.error_deg
    exact = error_deg <= KNOWN_ERROR_MAX_DEG and without.error_deg <= WITHOUT_PLANES_MAX_DEG
    return Up(
        direction=found.direction,
        source=UpFrom.PLANE if ground and base is cameras and base.trusted else base.source,
        known=base.trusted and sure and exact,
        error_deg=error_deg,
    )


def _with_planes(found: Evidence, planes: Sequence[Plane]) -> tuple[Evidence, bool, bool]:
    """With the planes that agree, as ground or as walls; whether one is ground; whether one nearly agrees, and no
    larger one is ground: a road has a slope beside it."""
    ground = contested = False
    nearly_level, nearly_upright = np.cos(np.radians(AGREES_MAX_DEG)), np.sin(np.radians(AGREES_MAX_DEG))
    if not found.precision.any():
        return found, ground, contested
    for plane in planes:
        normal = plane.normal if plane.normal @ found.direction >= 0 else -plane.normal
        upright = float(normal @ found.direction)
        if found.agrees(normal, GROUND_SIGMA_DEG):
            found, ground = weighed(found, [around(normal, GROUND_SIGMA_DEG)]), True
        elif found.is_level(normal, WALL_SIGMA_DEG):
            found = weighed(found, [square_to(normal, WALL_SIGMA_DEG)])
        elif not ground and (upright > nearly_level or upright < nearly_upright):
            contested = True
    return found, ground, contested
