"""How level cameras are: whether their x axes lie in one plane, and how far each one is rolled out of it.
Pure: poses in, numbers out.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Float64

STEPS = 5
AXES_SPREAD_MIN = 0.02
"""Middle eigenvalue of the x axes below which the cameras look the same way, and their axes lie in many planes."""
ROLL_WEIGHT_DEG = 5.0


def off_level(poses: Float64) -> float:
    """How far the cameras' x axes are from a common plane: their smallest eigenvalue over the middle one. 0 for level
    cameras and for cameras that look straight down; photos held sideways count by their y axis. poses: (C, 3, 4)."""
    _, values = _fit(poses, np.ones(len(poses)))
    return float(values[0] / max(values[1], 1e-9)) if values[1] > AXES_SPREAD_MIN else 0.0


def rolls_deg(poses: Float64) -> Float64:
    """(C,) angle of each camera's x axis, or of its y axis in a photo held sideways, to the plane that most of them lie
    in. 0 where the cameras look the same way. poses: (C, 3, 4)."""
    rolls = np.zeros(len(poses))
    for _ in range(STEPS):
        weights = 1.0 / np.maximum(rolls / ROLL_WEIGHT_DEG, 1.0) ** 2
        out_of_plane, values = _fit(poses, weights)
        if values[1] <= AXES_SPREAD_MIN:
            return np.zeros(len(poses))
        rolls = np.degrees(np.arcsin(np.clip(out_of_plane, 0.0, 1.0)))
    return rolls


def _fit(poses: Float64, weights: Float64) -> tuple[Float64, Float64]:
    """(C,) the axes' part out of the plane that fits them best, 0 to 1, and the (3,) eigenvalues, smallest first."""
    axes = poses[:, 0, :3].copy()
    for _ in range(STEPS):
        values, vectors = np.linalg.eigh((axes * weights[:, None]).T @ axes / weights.sum())
        up = vectors[:, 0]
        sideways = np.abs(poses[:, 1, :3] @ up) < np.abs(poses[:, 0, :3] @ up) - 0.5
        axes = np.where(sideways[:, None], poses[:, 1, :3], poses[:, 0, :3])
    return np.abs(axes @ up), values
