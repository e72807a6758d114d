"""Files of a scene that open without this service: a page with the scene inside, and glTF. Made only on request."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from splat_worker.export.splat_transform import convert
from splat_worker.scene import Camera

ALSO = {"glb": "scene.glb", "html": "scene.html", "dataset": "dataset.zip"}
"""Files on request, by the word that asks for them. `dataset.zip` is of dataset.py."""
PORTABLE = ("scene.glb", "scene.html")
"""`scene.glb` holds the Gaussians as glTF with KHR_gaussian_splatting, `scene.html` a viewer and the scene as .sog."""
FOV_MIN_DEG, FOV_MAX_DEG = 10.0, 120.0


def write_portable(target: Path, ply: Path, start: Camera, *, threads: int) -> None:
    """Write one of PORTABLE. start: where the page's viewer begins, looking at the subject's middle."""
    if target.suffix == ".html":
        settings = target.with_suffix(".settings.json")
        settings.write_text(json.dumps(viewer_settings(start)))
        try:
            convert(ply, target, threads=threads, options=("--viewer-settings", str(settings)))
        finally:
            settings.unlink()
    else:
        convert(ply, target, threads=threads)


def viewer_settings(start: Camera) -> dict[str, object]:
    """Settings of the page's viewer (version 2 of splat-transform's schema). Its world has y up: the scene's, turned by
    180 degrees about z. The camera looks along the photo's axis, at the depth of the subject's middle."""
    ahead = start.world_to_camera[2, :3]
    target = start.centre + ahead * max(float(-start.centre @ ahead), 0.1)
    fov_deg = float(np.degrees(2 * np.arctan2(start.height / 2, start.k[1, 1])))
    pose = {
        "position": _turned(start.centre),
        "target": _turned(target),
        "fov": min(max(fov_deg, FOV_MIN_DEG), FOV_MAX_DEG),
    }
    return {
        "version": 2,
        "tonemapping": "linear",
        "highPrecisionRendering": False,
        "background": {"color": [0, 0, 0]},
        "postEffectSettings": {
            "sharpness": {"enabled": False, "amount": 0},
            "bloom": {"enabled": False, "intensity": 0.1, "blurLevel": 2},
            "grading": {"enabled": False, "brightness": 1, "contrast": 1, "saturation": 1, "tint": [1, 1, 1]},
            "vignette": {"enabled": False, "intensity": 0.5, "inner": 0.3, "outer": 0.75, "curvature": 1},
            "fringing": {"enabled": False, "intensity": 0.5},
        },
        "animTracks": [],
        "cameras": [{"initial": pose}],
        "annotations": [],
        "startMode": "default",
    }


def _turned(point: np.ndarray) -> list[float]:
    """A point of the scene's frame (y down) in the viewer's (y up)."""
    x, y, z = (round(float(value), 6) for value in point)
    return [0.0 - x, 0.0 - y, z]
