"""Cameras of a finished scene by its cameras.json, and by the start view of an edit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from splat_worker.contract.edit import StartView
from splat_worker.edit.turn import UP, rotation_of
from splat_worker.scene import Camera, Float64


def turned_view(start: StartView, quat: Float64) -> StartView:
    """The same view in the scene turned by `quat` (w, x, y, z)."""
    turn = rotation_of(quat)
    position, target = (tuple(np.round(turn @ np.array(one), 6).tolist()) for one in (start.position, start.target))
    return StartView(position=position, target=target, fov=start.fov)


def start_camera(cameras: Mapping[str, Any], start: StartView | None) -> Camera:
    """The camera of a start view, with the size of the photo where the scene began; without one, of that photo.
    cameras: the content of cameras.json, of a scene that stands upright. Raises KeyError, ValueError for others."""
    photos = cameras["cameras"]
    first = next((photo for photo in photos if photo["name"] == cameras.get("start")), photos[0])
    width, height = int(first["width"]), int(first["height"])
    if start is None:
        focal = float(first["fx"]), float(first["fy"])
        middle = float(first["cx"]), float(first["cy"])
        rotation, position = np.array(first["rotation"], np.float64), np.array(first["position"], np.float64)
    else:
        length = max(width, height) / 2 / np.tan(np.radians(start.fov) / 2)
        focal, middle = (length, length), (width / 2, height / 2)
        position = np.array(start.position)
        rotation = looking(np.array(start.target) - position)
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = rotation.T
    world_to_camera[:3, 3] = -rotation.T @ position
    k = np.array([[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1.0]])
    return Camera(world_to_camera=world_to_camera, k=k, width=width, height=height)


def looking(direction: Float64) -> Float64:
    """(3, 3) an upright camera's axes as columns: right, down, forward. direction: of any length but 0."""
    forward = direction / np.linalg.norm(direction)
    right = np.cross(-UP, forward)
    if np.linalg.norm(right) < 1e-6:  # straight up or down: any side is right
        right = np.array([1.0, 0.0, 0.0])
    right = right / np.linalg.norm(right)
    return np.column_stack([right, np.cross(forward, right), forward])
