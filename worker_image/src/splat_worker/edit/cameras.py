"""Edits a cameras.json along with its scene: turns it, and sets its real size. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from splat_worker.contract.edit import Edit
from splat_worker.edit.turn import UP, multiplied, rotation_of, upright

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


def scaled_cameras(content: Mapping[str, Any], metres_per_unit: float) -> dict[str, Any]:
    """With a real size that somebody measured. The scene keeps its north; the length counts for more than positions."""
    scaled = {**content, "metres_per_unit": round(metres_per_unit, 7)}
    if "scene_to_enu" in content:
        place = np.array(content["scene_to_enu"])
        place[:3, :3] *= metres_per_unit / np.cbrt(abs(np.linalg.det(place[:3, :3])))
        scaled["scene_to_enu"] = _rounded(place)
    scaled.pop("scene_to_ecef", None)  # followed from the positions' scale
    return scaled


def edited_cameras(content: Mapping[str, Any], edit: Edit) -> dict[str, Any]:
    """The content of cameras.json for the edited scene."""
    sized = dict(content) if edit.scale is None else scaled_cameras(content, edit.scale.metres_per_unit)
    return sized if edit.up is None else turned_cameras(sized, list(upright(edit.up)))


def _rounded(array: np.ndarray) -> Any:
    return np.round(array, 7).tolist()
