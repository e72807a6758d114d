"""Two drawn views of one pattern, seen from 25 degrees apart, without any file."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIZE = (190, 142)  # no multiples of what the network pads to


def views() -> tuple[np.ndarray, np.ndarray]:
    """Two (142, 190, 3) uint8 photos."""
    rng = np.random.default_rng(3)
    pattern = np.zeros((256, 256, 3))
    for cells, weight in ((8, 0.4), (24, 0.35), (64, 0.25)):
        coarse = Image.fromarray((rng.random((cells, cells, 3)) * 255).astype(np.uint8))
        pattern += weight * np.asarray(coarse.resize((256, 256), Image.Resampling.NEAREST), dtype=float)
    wall = Image.fromarray(pattern.astype(np.uint8))
    front = (0, 0, 0, 256, 256, 256, 256, 0)
    turned = (-20, -30, 10, 300, 240, 270, 262, -5)
    one, other = (
        np.asarray(wall.transform(SIZE, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR))
        for corners in (front, turned)
    )
    return one, other
