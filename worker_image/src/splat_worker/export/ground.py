"""What is known of a scene beside its Gaussians: the subject's box, real size, place. As cameras.json has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splat_worker.export.subject import Subject
from splat_worker.sfm.frame.earth import Earth, ecef_of

WHOLE = "whole.ply"
"""The scene with its surroundings, where scene.ply is the subject alone: from it the box can be changed."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """only_subject: whether the files hold the subject alone. with_place: whether cameras.json may hold where on Earth
    the scene is; whoever gets the file learns it."""

    subject: Subject | None = None
    only_subject: bool = False
    earth: Earth | None = None
    with_place: bool = False

    def described(self) -> dict[str, object]:
        """The keys that cameras.json has for it."""
        out: dict[str, object] = {"subject": None, "metres_per_unit": None}
        if self.subject is not None:
            box = self.subject.box
            out["subject"] = {
                "centre": _rounded(box.centre),
                "half": _rounded(box.half),
                "quat": _rounded(box.quat),
                "soft": round(self.subject.soft, 7),
                "alone": self.only_subject,
            }
        if self.earth is not None:
            out["metres_per_unit"] = round(self.earth.metres_per_unit, 7)
            out["scene_to_enu"] = _rounded(self.earth.scene_to_enu)
            if self.with_place:
                latitude, longitude, altitude = self.earth.origin
                out["place"] = {"latitude": latitude, "longitude": longitude, "altitude_m": altitude}
                out["scene_to_ecef"] = _rounded(ecef_of(self.earth))
        return out


def _rounded(values: object) -> object:
    return np.round(np.asarray(values, dtype=np.float64), 7).tolist()
