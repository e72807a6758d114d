"""Cameras and points in a world where up is (0, -1, 0), with the noise of real photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Scene = tuple[np.ndarray, np.ndarray]
"""Poses (C, 4, 4) world to camera, points (P, 3)."""


def look(centre: np.ndarray, target: np.ndarray, roll_deg: float = 0.0, pitch_deg: float = 0.0) -> np.ndarray:
    """A pose at `centre` towards `target`, then tilted up by pitch_deg and turned clockwise by roll_deg."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    if np.linalg.norm(right) < 1e-6:
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    p = np.radians(pitch_deg)
    forward, down = np.cos(p) * forward - np.sin(p) * down, np.cos(p) * down + np.sin(p) * forward
    c, s = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    rotation = np.stack([c * right + s * down, c * down - s * right, forward])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ centre
    return pose


@dataclass
class Draw:
    """Draws with one random source. roll_deg: standard deviation of the photographer's roll."""

    rng: np.random.Generator
    roll_deg: float = 2.0

    def turn(self, sideways_deg: float = 0.0) -> float:
        return sideways_deg + float(self.rng.normal(0, self.roll_deg))

    def arc(
        self,
        count: int,
        arc_deg: float,
        *,
        height: float = 1.2,
        target: float = 1.0,
        pitch_spread_deg: float = 0.0,
        sideways_deg: float = 0.0,
    ) -> np.ndarray:
        """Around the vertical axis at distance 3; height and target: of the cameras and of what they look at."""
        poses = []
        for a in np.radians(np.linspace(-0.5, 0.5, count, endpoint=arc_deg < 360) * arc_deg):
            centre = np.array([3 * np.sin(a), -height, -3 * np.cos(a)]) + self.rng.normal(0, 0.05, 3)
            pitch_deg = float(self.rng.uniform(-1, 1)) * pitch_spread_deg
            poses.append(look(centre, np.array([0.0, -target, 0.0]), self.turn(sideways_deg), pitch_deg))
        return np.stack(poses)

    def turning(self, count: int, pitch_deg: float) -> np.ndarray:
        """From about one place in a room, all around, with the camera at this pitch."""
        poses = []
        for a in 2 * np.pi * np.arange(count) / count:
            centre = np.array([0, -1.5, 0]) + self.rng.normal(0, 0.4, 3)
            ahead = np.array([np.sin(a), 0, np.cos(a)])
            poses.append(look(centre, centre + ahead, self.turn(), pitch_deg + self.rng.normal(0, 3)))
        return np.stack(poses)

    def strips(self, count: int, *, headings_deg: tuple[int, ...], pitch_deg: float = -90.0) -> np.ndarray:
        """A drone's strips of six photos along x at height 10."""
        poses = []
        for i in range(count):
            yaw = np.radians(headings_deg[(i // 6) % len(headings_deg)] + self.rng.normal(0, 4))
            centre = np.array([(i % 6) * 2.0, -10.0, (i // 6) * 2.0]) + self.rng.normal(0, 0.1, 3)
            ahead = np.array([np.sin(yaw), 0, np.cos(yaw)])
            poses.append(look(centre, centre + ahead, self.turn(), pitch_deg + self.rng.normal(0, 2)))
        return np.stack(poses)

    def walk(self, count: int, *, pitch_deg: float = 0.0, pitch_spread_deg: float = 3.0) -> np.ndarray:
        """Forward along z at eye height."""
        poses = []
        for i in range(count):
            centre = np.array([self.rng.normal(0, 0.1), -1.6 + self.rng.normal(0, 0.05), 0.7 * i])
            pitch = pitch_deg + float(self.rng.uniform(-1, 1)) * pitch_spread_deg
            poses.append(look(centre, centre + np.array([0.4 * np.sin(i), 0, 8.0]), self.turn(), pitch))
        return np.stack(poses)

    def row(self, count: int, *, height: float, target_height: float, distance: float) -> np.ndarray:
        """Parallel photos along x, from `distance` in front of z = 0."""
        return np.stack([
            look(np.array([x, -height, -distance]), np.array([x, -target_height, 0.0]), self.turn())
            for x in np.linspace(-1, 1, count)
        ])  # fmt: skip

    def level(self, count: int, *, half: float = 1.5, height: float = 0.0, rough: float = 0.004) -> np.ndarray:
        """A table, floor or ceiling at this height, around the vertical axis."""
        across = self.rng.uniform(-half, half, (2, count))
        return np.column_stack([across[0], self.rng.normal(-height, rough, count), across[1]])

    def wall(self, count: int) -> np.ndarray:
        """In the plane z = 0, which cameras of `arc` and `row` face."""
        x, y = self.rng.uniform(-2, 2, count), self.rng.uniform(-2, 0, count)
        return np.column_stack([x, y, self.rng.normal(0, 0.004, count)])

    def facades(self, count: int) -> np.ndarray:
        """Two walls along z, left and right of `walk`."""
        x = np.where(self.rng.uniform(size=count) < 0.5, -5.0, 5.0)
        return np.column_stack([x, self.rng.uniform(-6, 0, count), self.rng.uniform(0, 25, count)])

    def lump(self, count: int, *, radius: float = 0.5) -> np.ndarray:
        return self.rng.normal(0, radius / 2, (count, 3)) - [0, radius, 0]

    def field(self, count: int, *, slope_deg: float = 0.0) -> np.ndarray:
        """Ground below `strips`, and around `arc`."""
        x, z = self.rng.uniform(-4, 14, count), self.rng.uniform(-4, 12, count)
        return np.column_stack([x, np.tan(np.radians(slope_deg)) * x + self.rng.normal(0, 0.04, count), z])

    def before_wall(self, share: float, count: int = 700) -> np.ndarray:
        """A wall with this share of the points. The rest is a thing before it and the floor."""
        wall = int(share * count)
        rest = (count - wall) // 2
        floor = self.level(count - wall - rest, half=2.0) - [0, 0, 2.0]
        return np.concatenate([self.wall(wall), self.lump(rest) + np.array([0.3, 0, -0.5]), floor])


def turned(scene: Scene, rotation: np.ndarray, scale: float, shift: np.ndarray) -> Scene:
    """The same scene in another world frame, as structure from motion would give it."""
    poses, points = scene
    out = poses.copy()
    for i, pose in enumerate(poses):
        centre = scale * rotation @ -(pose[:3, :3].T @ pose[:3, 3]) + shift
        out[i, :3, :3] = pose[:3, :3] @ rotation.T
        out[i, :3, 3] = -out[i, :3, :3] @ centre
    return out, scale * points @ rotation.T + shift


def random_rotation(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
