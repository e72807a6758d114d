"""How sharp a frame is, in its most blurred direction: a camera that moves blurs along its way and not across it.
Pure arrays.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from splat_worker.photos.validation import SHARPNESS_SIDE_PX

DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps y, x."""


def detail_along(grey: Image.Image) -> float:
    """The least, over four directions, of the variance of second differences, over the variance of the picture.
    As photos.validation.detail at SHARPNESS_SIDE_PX, which a blur in one direction only halves."""
    small = grey.copy()
    small.thumbnail((SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX), Image.Resampling.BOX)
    v = np.asarray(small, dtype=np.float32)
    height, width = v.shape
    inside = v[1:-1, 1:-1]

    def second_difference(dy: int, dx: int) -> float:
        before = v[1 - dy : height - 1 - dy, 1 - dx : width - 1 - dx]
        after = v[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]
        return float((before + after - 2 * inside).var())

    return min(second_difference(dy, dx) for dy, dx in DIRECTIONS) / max(float(inside.var()), 1e-6)
