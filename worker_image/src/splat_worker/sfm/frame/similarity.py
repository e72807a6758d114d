"""The frame of a scene: which way is up, its centre and its size.
Pure geometry on arrays. The similarity is applied before training, so that nothing is rotated later.

The convention is that of COLMAP and 3D Gaussian splatting: x right, y DOWN (up is (0, -1, 0)), z forward. PlayCanvas
and SuperSplat rotate such files by 180 degrees about z on loading. The origin is the middle of the subject, and one
unit is the subject's radius.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.sparse import SparseModel

UP: Float64 = np.array([0.0, -1.0, 0.0])
PLANE_SHARE_MIN = 0.25
"""Share of the points from which a plane counts as ground or table."""
PLANE_TILT_MAX_DEG = 20.0
PLANE_TILT_MAX_BY_MEAN_DEG = 50.0
"""Largest tilt of such a plane against the cameras' level: walls and roofs are planes too. The mean of the cameras
tilts by as much as they look down, so a table may tilt that much against it."""
LEVEL_SPREAD_MIN = 0.02
"""Second smallest eigenvalue of the cameras' x axes. Below it they are all parallel, as from an aeroplane, and do not
determine up."""
NADIR_COSINE_MIN = 0.8
AXIS_SPREAD_MIN = 0.02
"""Conditioning of the point nearest to all optical axes; below it the axes are parallel and have no such point."""
SEED = 20261123


class UpFrom(StrEnum):
    """Where the up direction comes from."""

    PLANE = "plane"
    LEVEL_CAMERAS = "level cameras"
    NADIR_PLANE = "plane below cameras that look down"
    MEAN_CAMERA = "mean of the cameras"


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """x_new = scale * rotation @ (x_old - centre). rotation: (3, 3); centre: (3,) old units."""

    scale: float
    rotation: Float64
    centre: Float64
    up_from: UpFrom

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


def find_frame(model: SparseModel) -> Similarity:
    """The similarity from cameras and points alone; deterministic."""
    poses = np.stack([camera.world_to_camera for camera in model.cameras])
    points = _inner(np.asarray(model.points, dtype=np.float64), _centres(poses))
    up, up_from = find_up(poses, points)
    centre = _middle(poses, points)
    distance = np.linalg.norm(points - centre, axis=1) if len(points) else np.ones(1)
    radius = float(np.percentile(distance, 80)) or 1.0
    return Similarity(scale=1.0 / radius, rotation=_upright(up, poses), centre=centre, up_from=up_from)


def transform(model: SparseModel, frame: Similarity) -> SparseModel:
    """The same model in the new frame."""
    return replace(
        model,
        cameras=tuple(replace(c, world_to_camera=frame.pose(c.world_to_camera)) for c in model.cameras),
        points=frame.apply(model.points).astype(np.float32),
    )


def find_up(poses: Float64, points: Float64) -> tuple[Float64, UpFrom]:
    """Unit vector that points up. poses: (C, 4, 4) world to camera; points: (P, 3).

    People hold cameras level, so that the cameras' x axes lie in the horizontal plane. If these axes span it, its
    normal is up; a large plane of points that nearly agrees (table, floor) is more exact. From an aeroplane the axes do
    not span it, and the ground gives up.
    """
    right, down, forward = poses[:, 0, :3], poses[:, 1, :3], poses[:, 2, :3]
    mean_up = -down.mean(axis=0)
    mean_forward = forward.mean(axis=0)
    plane, share = _plane(points)
    values, vectors = np.linalg.eigh(right.T @ right / len(right))
    if plane is not None:
        towards_cameras = _centres(poses).mean(axis=0) - np.median(points, axis=0)
        plane = plane if plane @ towards_cameras >= 0 else -plane
        if share >= PLANE_SHARE_MIN and plane @ -mean_forward >= NADIR_COSINE_MIN:
            return plane, UpFrom.NADIR_PLANE
    if values[1] >= LEVEL_SPREAD_MIN:
        guess, how, tilt_max_deg = vectors[:, 0], UpFrom.LEVEL_CAMERAS, PLANE_TILT_MAX_DEG
        guess = guess if guess @ mean_up >= 0 else -guess
    else:
        norm = float(np.linalg.norm(mean_up))
        guess = mean_up / norm if norm > 1e-6 else -down[0]
        how, tilt_max_deg = UpFrom.MEAN_CAMERA, PLANE_TILT_MAX_BY_MEAN_DEG
    if plane is not None and share >= PLANE_SHARE_MIN:
        plane = plane if plane @ guess >= 0 else -plane
        if np.degrees(np.arccos(np.clip(plane @ guess, -1, 1))) <= tilt_max_deg:
            return plane, UpFrom.PLANE
    return guess, how


def _centres(poses: Float64) -> Float64:
    return -np.einsum("nij,ni->nj", poses[:, :3, :3], poses[:, :3, 3])


def _inner(points: Float64, centres: Float64) -> Float64:
    """Points without the far background: within 4 times the median distance from the cameras' middle."""
    if len(points) < 10:
        return points
    distance = np.linalg.norm(points - np.median(centres, axis=0), axis=1)
    return points[distance <= 4.0 * np.median(distance)]


def _plane(points: Float64) -> tuple[Float64 | None, float]:
    """Normal of the plane that holds the most points, and their share; thickness 1.5 % of the cloud's spread."""
    if len(points) < 50:
        return None, 0.0
    rng = np.random.default_rng(SEED)
    sample = points[rng.choice(len(points), min(len(points), 4000), replace=False)]
    spread = float(np.linalg.norm(np.percentile(sample, 90, axis=0) - np.percentile(sample, 10, axis=0)))
    thickness = 0.015 * spread
    triples = sample[rng.integers(0, len(sample), (400, 3))]
    normals = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    usable = lengths > 1e-9 * spread * spread
    normals = normals[usable] / lengths[usable, None]
    if not len(normals):
        return None, 0.0
    heights = normals @ sample.T - np.einsum("ij,ij->i", normals, triples[usable, 0])[:, None]
    best = int((np.abs(heights) < thickness).sum(axis=1).argmax())
    on_plane = sample[np.abs(heights[best]) < thickness]
    for _ in range(2):
        middle = on_plane.mean(axis=0)
        normal = np.linalg.svd(on_plane - middle, full_matrices=False)[2][2]
        on_plane = sample[np.abs((sample - middle) @ normal) < thickness]
    return normal, len(on_plane) / len(sample)


def _middle(poses: Float64, points: Float64) -> Float64:
    """What the cameras look at: the point nearest to all optical axes if it lies in front of the cameras and near the
    points, else the median of the points."""
    median = np.median(points, axis=0) if len(points) else _centres(poses).mean(axis=0)
    forward = poses[:, 2, :3]
    across = np.eye(3) - np.einsum("ni,nj->nij", forward, forward)
    total = across.mean(axis=0)
    if np.linalg.eigvalsh(total)[0] < AXIS_SPREAD_MIN or not len(points):
        return median
    crossing = np.linalg.solve(total, np.einsum("nij,nj->i", across, _centres(poses)) / len(poses))
    in_front = (np.einsum("nj,nj->n", forward, crossing - _centres(poses)) > 0).mean() > 0.9
    reach = np.percentile(np.linalg.norm(points - median, axis=1), 80)
    return crossing if in_front and np.linalg.norm(crossing - median) <= 1.5 * reach else median


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
