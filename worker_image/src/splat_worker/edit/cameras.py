"""Turns a cameras.json along with its scene. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splat_worker.edit.turn import UP, multiplied, rotation_of

FROM_SCENE = ("scene_to_enu", "scene_to_ecef")
"""(4, 4) each: from the scene to the Earth, which does not turn along."""


def turned_cameras(content: Mapping[str, Any], quat: Sequence[float]) -> dict[str, Any]:
    """The content of cameras.json for the scene turned by `quat` (w, x, y, z). Up is then known: somebody set it."""
    turn = rotation_of(quat)
    whole = np.eye(4)
    whole[:3, :3] = turn
    turned = {
        **content,
        "up": UP.tolist(),
        "up_from": "edit",
        "up_known": True,
        "target": _rounded(turn @ np.array(content["target"])),
        "cameras": [
            {
                **camera,
                "position": _rounded(turn @ np.array(camera["position"])),
                "rotation": _rounded(turn @ np.array(camera["rotation"])),
            }
            for camera in content["cameras"]
        ],
    }
    if "sfm_to_scene" in content:
        turned["sfm_to_scene"] = _rounded(whole @ np.array(content["sfm_to_scene"]))
    for name in FROM_SCENE:
        if name in content:
            turned[name] = _rounded(np.array(content[name]) @ whole.T)
    if content.get("subject") is not None:
        subject = content["subject"]
        centre, own = turn @ np.array(subject["centre"]), multiplied(quat, np.array(subject["quat"])[None])[0]
        turned["subject"] = {**subject, "centre": _rounded(centre), "quat": _rounded(own)}
    return turned


def _rounded(array: np.ndarray) -> Any:
    return np.round(array, 7).tolist()
