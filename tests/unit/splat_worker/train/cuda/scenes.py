"""Small random scenes and cameras with a seed; every test that needs one draws it here."""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Camera, Gaussians


def camera(width: int = 45, height: int = 37, *, turn: float = 0.0, back: float = 4.0) -> Camera:
    """Looks at the origin from `back` units away, turned about y by `turn` rad; sizes are no multiples of a tile."""
    c, s = np.cos(turn), np.sin(turn)
    pose = np.eye(4)
    pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    pose[:3, 3] = [0.1, -0.2, back]
    k = np.array([[0.9 * width, 0, 0.48 * width], [0, 0.95 * width, 0.53 * height], [0, 0, 1]])
    return Camera(world_to_camera=pose, k=k, width=width, height=height)


def gaussians(count: int, *, seed: int, degree: int = 3, spread: float = 1.2, size: float = 0.12) -> Gaussians:
    """`count` Gaussians around the origin; some lie behind or beside a camera 4 units away."""
    rng = np.random.default_rng(seed)
    k = (degree + 1) ** 2
    sh = rng.normal(0, 0.15, (count, k, 3))
    sh[:, 0] = rng.normal(0, 0.9, (count, 3))
    means = rng.normal(0, spread, (count, 3))
    means[:: max(count // 8, 8), 2] -= 5  # behind
    return Gaussians(
        means=means.astype(np.float32),
        log_scales=(np.log(size) + rng.normal(0, 0.6, (count, 3))).astype(np.float32),
        quats=rng.normal(0, 1, (count, 4)).astype(np.float32),
        opacity_logits=rng.normal(0.3, 2.0, count).astype(np.float32),
        sh=sh.astype(np.float32),
    )
