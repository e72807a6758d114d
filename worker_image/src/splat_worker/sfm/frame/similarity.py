"""The similarity from the frame of structure from motion to that of the scene. It is applied before training, so that
nothing is rotated later.

The convention is that of COLMAP and 3D Gaussian splatting: x right, y DOWN (up is (0, -1, 0)), z forward. PlayCanvas
and SuperSplat rotate such files by 180 degrees about z on loading. The origin is the middle of the subject, and one
unit is the subject's radius.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.frame.evidence import Tags, Up
from splat_worker.sfm.frame.middle import centres_of, inner, middle_of
from splat_worker.sfm.frame.up import find_up
from splat_worker.sfm.sparse import SparseModel

UP: Float64 = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """x_new = scale * rotation @ (x_old - centre). rotation: (3, 3); centre: (3,) old units; up: in the old frame."""

    scale: float
    rotation: Float64
    centre: Float64
    up: Up

    def apply(self, points: np.ndarray) -> Float64:
        """(N, 3) old frame to (N, 3) new frame."""
        return self.scale * (np.asarray(points, dtype=np.float64) - self.centre) @ self.rotation.T

    def matrix(self) -> Float64:
        """(4, 4) homogeneous matrix."""
        m = np.eye(4)
        m[:3, :3] = self.scale * self.rotation
        m[:3, 3] = -self.scale * self.rotation @ self.centre
        return m

    def pose(self, world_to_camera: Float64) -> Float64:
        """A rigid world-to-camera matrix of the old frame in the new frame (depths grow by `scale`)."""
        rotation = world_to_camera[:3, :3] @ self.rotation.T
        centre = self.apply(-(world_to_camera[:3, :3].T @ world_to_camera[:3, 3])[None])[0]
        out = np.eye(4)
        out[:3, :3] = rotation
        out[:3, 3] = -rotation @ centre
        return out


def find_frame(model: SparseModel, tags: Mapping[str, Tags] | None = None) -> Similarity:
    """The similarity from cameras, points and what the tags of the photos (by name) say; deterministic."""
    poses = np.stack([camera.world_to_camera for camera in model.cameras])
    points = inner(np.asarray(model.points, dtype=np.float64), centres_of(poses))
    known = tags or {}
    up = find_up(poses, points, [known.get(camera.name, Tags()) for camera in model.cameras])
    centre = middle_of(poses, points)
    distance = np.linalg.norm(points - centre, axis=1) if len(points) else np.ones(1)
    radius = float(np.percentile(distance, 80)) or 1.0
    return Similarity(scale=1.0 / radius, rotation=_upright(up.direction, poses), centre=centre, up=up)


def transform(model: SparseModel, frame: Similarity) -> SparseModel:
    """The same model in the new frame."""
    return replace(
        model,
        cameras=tuple(replace(c, world_to_camera=frame.pose(c.world_to_camera)) for c in model.cameras),
        points=frame.apply(model.points).astype(np.float32),
    )


def _upright(up: Float64, poses: Float64) -> Float64:
    """(3, 3) rotation that maps `up` to (0, -1, 0) and the cameras' mean viewing direction to +z."""
    down = -up / np.linalg.norm(up)
    ahead = poses[:, 2, :3].mean(axis=0)
    ahead = ahead - (ahead @ down) * down
    if np.linalg.norm(ahead) < 0.05:  # an orbit, or straight down: use any camera's horizontal direction
        ahead = poses[0, 2, :3] - (poses[0, 2, :3] @ down) * down
        if np.linalg.norm(ahead) < 0.05:
            ahead = -poses[0, 1, :3] + (poses[0, 1, :3] @ down) * down
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])
