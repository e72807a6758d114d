"""Photos and points that no trainer can use: they are left out before a run, with a sentence that names them.
Pure; never changes what the caller gave.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.health.watch import named

_RIGID_TOLERANCE = 1e-3  # of each entry of R R^T


def usable(posed: PosedPhotos) -> tuple[PosedPhotos, tuple[str, ...]]:
    """Without photos whose camera is none and points that are nowhere, and what to report of it."""
    wrong = tuple(view.name for view in posed.views if not has_camera(view))
    finite = np.isfinite(posed.points).all(axis=1)
    if not wrong and finite.all():
        return posed, ()
    notes = []
    if wrong:
        verb = "was" if len(wrong) == 1 else "were"
        notes.append(f"{named(wrong)} {verb} left out of training: the camera's position or lens is not a valid one.")
    kept = replace(without(posed, wrong), points=posed.points[finite], point_colours=posed.point_colours[finite])
    return kept, tuple(notes)


def has_camera(view: View) -> bool:
    """Whether pose and lens are finite, the rotation is one, and the focal lengths are positive."""
    pose, k = view.world_to_camera, view.k
    if not (np.isfinite(pose).all() and np.isfinite(k).all()):
        return False
    turn = pose[:3, :3]
    rigid = np.abs(turn @ turn.T - np.eye(3)).max() < _RIGID_TOLERANCE and np.linalg.det(turn) > 0
    return bool(rigid and k[0, 0] > 0 and k[1, 1] > 0)


def without(posed: PosedPhotos, names: tuple[str, ...]) -> PosedPhotos:
    """The same set without the named photos."""
    return replace(posed, views=tuple(view for view in posed.views if view.name not in set(names)))
