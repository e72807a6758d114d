"""Where the photographer stands: two walks around the table, one higher than the other.

Pure: poses and intrinsics only. OpenCV axes everywhere (x right, y down, z forward, pixel centres at .5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.render.paint.noise import Array

FOCAL_MM = 38.0
"""Focal length on a 36 mm wide sensor: 50.7 degrees wide, near the eye's view and the 26-50 mm of phones."""
SENSOR_WIDTH_MM = 36.0
F_NUMBER = 16.0
"""Small enough an opening that the floor, 2 m behind the focus, is less than two pixels soft."""


@dataclass(frozen=True, kw_only=True)
class Intrinsics:
    """Pinhole without distortion, pixels."""

    width_px: int
    height_px: int

    @property
    def focal_px(self) -> float:
        return FOCAL_MM / SENSOR_WIDTH_MM * self.width_px

    @property
    def centre_px(self) -> tuple[float, float]:
        return self.width_px / 2, self.height_px / 2


@dataclass(frozen=True, kw_only=True)
class View:
    """One photo's camera. camera_to_world: (4, 4), metres, world z up."""

    name: str
    camera_to_world: Array
    focus_m: float

    @property
    def world_to_camera(self) -> Array:
        return np.linalg.inv(self.camera_to_world)


def look_at(eye: Array, target: Array, roll_deg: float = 0.0) -> Array:
    """Camera-to-world (4, 4) in OpenCV axes: z towards the target, y down, then rolled about z."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    pose = np.eye(4)
    pose[:3, 0] = c * right + s * down
    pose[:3, 1] = -s * right + c * down
    pose[:3, 2] = forward
    pose[:3, 3] = eye
    return pose


def on_sphere(target: Array, azimuth_deg: float, elevation_deg: float, distance_m: float) -> Array:
    """The point seen from `target` in that direction, (3,) metres."""
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return target + distance_m * np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])


def hand_held_views(seed: int = 7) -> tuple[View, ...]:
    """24 views: twelve low, twelve higher and between them; a hand's unsteadiness in each.

    Neighbours are 17 degrees apart. At 30 degrees, measured, a pair keeps 80 of 3,500 SIFT points, which is too few for
    COLMAP's defaults to begin with.
    """
    rng = np.random.default_rng(seed)
    middle = np.array([0.0, 0.0, 0.045])
    plan: list[tuple[float, float, float, Array]] = []
    plan += [(-68 + 30 * i, 26.0, 0.92, middle) for i in range(12)]
    plan += [(-53 + 30 * i, 38.0, 0.88, middle) for i in range(12)]
    views = []
    for number, (azimuth, elevation, distance, target) in enumerate(plan, start=1):
        aim = target + rng.normal(0, 0.008, 3)
        eye = on_sphere(
            aim,
            azimuth + rng.normal(0, 2.0),
            elevation + rng.normal(0, 1.2),
            distance * (1 + rng.normal(0, 0.02)),
        )
        views.append(
            View(
                name=f"IMG_{number:04d}.jpg",
                camera_to_world=look_at(eye, aim, roll_deg=rng.normal(0, 1.2)),
                focus_m=float(np.linalg.norm(eye - aim)),
            )
        )
    return tuple(views)
