"""The cameras found so far, seen from above, small enough for a progress message.
Pure arithmetic. Up is a guess from the cameras alone: nothing but the drawing depends on it.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Float64

CAMERAS_MAX = 400
"""A message may have 20 kB; a camera takes up to 20 bytes."""
SIDE = 100

Plan = tuple[tuple[int, int, int, int], ...]
"""One camera each: position x, y and viewing direction x, y, all from -100 to 100; y points down the drawing."""


def plan_of(world_to_camera: Float64) -> Plan:
    """world_to_camera: (N, 3 or 4, 4). Returns at most CAMERAS_MAX cameras, evenly chosen; none for fewer than two."""
    if len(world_to_camera) < 2:
        return ()
    chosen = world_to_camera[
        np.linspace(0, len(world_to_camera) - 1, min(len(world_to_camera), CAMERAS_MAX)).astype(int)
    ]
    rotations, shifts = chosen[:, :3, :3], chosen[:, :3, 3]
    centres = -np.einsum("nji,nj->ni", rotations, shifts)
    centres = centres - centres.mean(axis=0)
    down = rotations[:, 1].mean(axis=0)
    down = down / max(float(np.linalg.norm(down)), 1e-9)
    helper = np.eye(3)[int(np.argmin(np.abs(down)))]
    right = np.cross(helper, down)
    right /= np.linalg.norm(right)
    ahead = np.cross(down, right)
    flat = centres @ np.stack([right, -ahead], axis=1)
    looks = rotations[:, 2] @ np.stack([right, -ahead], axis=1)
    flat /= max(float(np.linalg.norm(flat, axis=1).max()), 1e-9)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True).clip(1e-9)
    return tuple(
        (int(x), int(y), int(a), int(b))
        for (x, y), (a, b) in zip(np.rint(SIDE * flat), np.rint(SIDE * looks), strict=True)
    )
