"""Turns a cameras.json along with its scene. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splat_worker.edit.turn import UP, rotation_of


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
    return turned


def _rounded(array: np.ndarray) -> Any:
    return np.round(array, 7).tolist()
