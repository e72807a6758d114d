"""The subject of a scene as a box: what most cameras look at, found from the sparse points.
Pure arithmetic in the frame of the scene, whose origin is the middle of the subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from splat_worker.edit.crop import Box, crop
from splat_worker.scene import Float64, Gaussians, PosedPhotos, View

CENTRAL = 0.8
"""Share of a photo's width and height, around its middle, where a photographer keeps the subject."""
WATCHED_MIN = 0.6
"""Of the share of cameras that look at the most watched points. What lies behind the subject is central for the
cameras on the other side alone."""
NEARER = 0.8
"""Of the way from the subject's middle to the usual camera: the subject does not reach farther."""
TRIMMED = 0.01
"""Share of the points at each end of each axis that the box may leave out."""
MARGIN = 0.08
SOFT = 0.06
"""Of half the box's longest side: the width of the soft edge."""
POINTS_MIN = 20


@dataclass(frozen=True, kw_only=True)
class Subject:
    """box: in the frame of the scene; soft: width of the edge inside it, scene units."""

    box: Box
    soft: float

    @property
    def size(self) -> tuple[float, float]:
        """Width, the longer level side, and height of what the box holds, scene units."""
        across, tall, along = (2 * half / (1 + MARGIN) for half in self.box.half)
        return max(across, along), tall

    def alone(self, gaussians: Gaussians) -> Gaussians:
        """What the box holds. The soft edge lies around it, so that the subject itself does not fade."""
        half = tuple(side + self.soft for side in self.box.half)
        wider = Box(centre=self.box.centre, half=(half[0], half[1], half[2]), quat=self.box.quat)
        return crop(gaussians, wider, soft=self.soft)


def find_subject(posed: PosedPhotos) -> Subject | None:
    """None where too few points are watched by enough cameras."""
    points = np.asarray(posed.points, dtype=np.float64)
    centres = np.stack([view.camera.centre for view in posed.views])
    usual = float(np.median(np.linalg.norm(centres, axis=1)))
    points = points[np.linalg.norm(points, axis=1) <= NEARER * usual]
    if len(points) < POINTS_MIN:
        return None
    watched = _watched(points, posed.views)
    points = points[watched >= WATCHED_MIN * np.quantile(watched, 0.95)]
    if len(points) < POINTS_MIN:
        return None
    angle = _level_turn(points)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    local = points @ turn
    low, high = np.quantile(local, TRIMMED, axis=0), np.quantile(local, 1 - TRIMMED, axis=0)
    half = np.maximum((high - low) / 2, 1e-3) * (1 + MARGIN)
    centre = turn @ ((low + high) / 2)
    quat = (float(np.cos(angle / 2)), 0.0, float(np.sin(angle / 2)), 0.0)
    x, y, z = (float(value) for value in centre)
    box = Box(centre=(x, y, z), half=(float(half[0]), float(half[1]), float(half[2])), quat=quat)
    return Subject(box=box, soft=SOFT * float(half.max()))


def _watched(points: Float64, views: Sequence[View]) -> Float64:
    """(P,) share of the cameras that have each point in the middle of their picture."""
    count = np.zeros(len(points))
    for view in views:
        camera = view.camera
        rows = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        ahead = rows[:, 2] > 1e-6
        pixels = rows @ camera.k.T
        pixels = pixels[:, :2] / np.where(ahead, rows[:, 2], 1.0)[:, None]
        size = np.array([camera.width, camera.height], dtype=np.float64)
        count += ahead & (np.abs(pixels / size - 0.5) <= CENTRAL / 2).all(axis=1)
    return count / len(views)


def _level_turn(points: Float64) -> float:
    """Radians about the vertical to the level direction in which the points reach farthest."""
    level = points[:, [0, 2]] - np.median(points[:, [0, 2]], axis=0)
    _, axes = np.linalg.eigh(level.T @ level)
    return float(np.arctan2(-axes[1, 1], axes[0, 1]))
