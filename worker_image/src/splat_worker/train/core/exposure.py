"""The gain of each photo's brightness as the loss takes it, and a picture as its photo would show it.
Gains are known before training (sfm/brightness.py); nothing is learned, so nothing can drift.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Float32, Float64, UInt8, View


def spread_of(views: tuple[View, ...]) -> float:
    """Standard deviation of the views' log gains."""
    return float(np.log([view.gain for view in views]).std())


def affines_of(gains: Float64) -> Float32:
    """(V, 3, 4) as the loss takes them: a diagonal matrix and no offset. gains: (V,)."""
    out = np.zeros((len(gains), 3, 4), np.float32)
    out[:, [0, 1, 2], [0, 1, 2]] = np.asarray(gains)[:, None]
    return out


def as_taken(picture: UInt8, gain: float) -> UInt8:
    """`picture` (H, W, 3) of the scene at a photo's exposure."""
    return picture if gain == 1.0 else np.rint(np.minimum(picture * gain, 255.0)).astype(np.uint8)
