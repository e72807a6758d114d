"""Draws the photos of the self-test: a textured table with a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from splat_worker.photos.validation import Source

PHOTOS = 8
SIZE = (320, 240)


def draw(folder: Path) -> list[Source]:
    """PHOTOS photos of the table along an arc, enough for a tiny reconstruction."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    texture = sum(
        weight
        * np.asarray(
            Image.fromarray((rng.random((cells, cells, 3)) * 255).astype(np.uint8)).resize((600, 600), 0), dtype=float
        )
        for cells, weight in ((10, 0.3), (40, 0.4), (120, 0.3))
    )
    sources = []
    for i in range(PHOTOS):
        path = folder / f"{i}.jpg"
        Image.fromarray(_photo(texture, azimuth=np.radians(-28 + 8 * i))).save(path, quality=93)
        sources.append(Source(name=path.name, path=path))
    return sources


def _photo(texture: np.ndarray, *, azimuth: float) -> np.ndarray:
    """(H, W, 3) uint8: planes y = 0 and, for x > 0.1, y = -0.35; camera 2.4 away, 40 degrees up."""
    width, height = SIZE
    tilt = np.radians(40.0)
    centre = 2.4 * np.array([np.sin(azimuth) * np.cos(tilt), -np.sin(tilt), -np.cos(azimuth) * np.cos(tilt)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    u, v = np.meshgrid(np.arange(2 * width) + 0.5 - width, np.arange(2 * height) + 0.5 - height)
    rays = u[..., None] * right + v[..., None] * down + 2.3 * width * forward
    picture = np.full((*u.shape, 3), 210.0)
    for level, first in ((0.0, True), (-0.35, False)):
        t = (level - centre[1]) / rays[..., 1]
        x, z = centre[0] + t * rays[..., 0], centre[2] + t * rays[..., 2]
        hit = (t > 0) & (np.abs(z) < 1.3) & (np.abs(x) < 1.3) & (first | (x > 0.1))
        picture[hit] = texture[
            (x[hit] * 220 + 300).astype(int) % 600, (z[hit] * 220 + 300 + 70 * (not first)).astype(int) % 600
        ]
    return picture.reshape(height, 2, width, 2, 3).mean(axis=(1, 3)).astype(np.uint8)
