"""The true cameras as JSON, with ray hits that let anybody check them.

Writes one file; computes no pose of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from samples.render.cameras import Intrinsics, View
from samples.render.photo import renderer
from samples.render.things.room import HALF_ROOM_M, TABLE_RADIUS_M

PROBES = (7, 5)
"""Columns and rows of the grid of ray hits that each photo carries."""


def probe_pixels(intrinsics: Intrinsics) -> np.ndarray:
    """Pixel positions (N, 2) of the ray hits: a grid clear of the borders, at pixel centres."""
    columns, rows = PROBES
    x = np.round((np.arange(columns) + 0.5) / columns * intrinsics.width_px) + 0.5
    y = np.round((np.arange(rows) + 0.5) / rows * intrinsics.height_px) + 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def describe(scene: Any, views: tuple[View, ...], intrinsics: Intrinsics) -> dict[str, Any]:
    """The document of cameras.json."""
    pixels = probe_pixels(intrinsics)
    photos = []
    for view in views:
        points, names = renderer.hits(scene, view, intrinsics, pixels)
        seen = [
            {"pixel": pixel.tolist(), "point_m": [round(c, 6) for c in point.tolist()], "part": name}
            for pixel, point, name in zip(pixels, points, names, strict=True)
            if name
        ]
        photos.append(
            {
                "name": view.name,
                "camera_to_world": np.round(view.camera_to_world, 9).tolist(),
                "world_to_camera": np.round(view.world_to_camera, 9).tolist(),
                "focus_m": round(view.focus_m, 4),
                "ray_hits": seen,
            }
        )
    cx, cy = intrinsics.centre_px
    return {
        "version": 1,
        "units": "metres",
        "axes": {
            "camera": "OpenCV: x right, y down, z forward; pixel (0.5, 0.5) is the centre of the top left pixel",
            "world": "right-handed, z up, origin at the centre of the table's top",
        },
        "camera": {
            "model": "PINHOLE",
            "width_px": intrinsics.width_px,
            "height_px": intrinsics.height_px,
            "fx_px": intrinsics.focal_px,
            "fy_px": intrinsics.focal_px,
            "cx_px": cx,
            "cy_px": cy,
        },
        "scene": {"table_radius_m": TABLE_RADIUS_M, "half_room_m": HALF_ROOM_M},
        "photos": photos,
    }


def write(path: Path, scene: Any, views: tuple[View, ...], intrinsics: Intrinsics) -> None:
    path.write_text(json.dumps(describe(scene, views, intrinsics), indent=1) + "\n")
