"""The photo where a viewer starts and that the poster shows: as a photographer would choose it.
Pure arithmetic on cameras and points in the frame of the scene; renders nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float32, Float64, PosedPhotos, View

SUBJECT_POINTS_MIN = 20
SUBJECT_POINTS_MAX = 2000
MARGIN = 0.03
"""Share of a photo's sides along its edges where the subject counts as cropped."""
ABOVE_DEG = 20.0
"""From how far above a subject is usually shown."""
WHOLE, CENTRAL, DISTANCE, MIDDLE, SHARP, ABOVE = 2.0, 1.0, 0.5, 0.4, 0.6, 0.3
"""Weights. A subject of which half is cropped outweighs everything else that a good photo may lack."""


@dataclass(frozen=True, kw_only=True)
class Merits:
    """What speaks for and against a photo.

    whole: share of the subject's points inside the frame; off_centre: distance of their median from the photo's middle
    in half diagonals; distance: |ln| of the distance to the subject over the median of all photos; off_middle: distance
    from the middle of all cameras, in their spread; sharp: sharpness over the median of all photos, at most 1;
    above_deg: elevation over the subject.
    """

    whole: float
    off_centre: float
    distance: float
    off_middle: float
    sharp: float
    above_deg: float

    @property
    def score(self) -> float:
        return (
            WHOLE * self.whole
            - CENTRAL * self.off_centre
            - DISTANCE * self.distance
            - MIDDLE * self.off_middle
            + SHARP * self.sharp
            - ABOVE * abs(self.above_deg - ABOVE_DEG) / 90.0
        )


def start_view(posed: PosedPhotos, sharpness: Mapping[str, float]) -> View:
    """The view with the highest score; the earlier photo wins a tie. sharpness: by name, in any unit."""
    scores = [round(merits.score, 6) for merits in merits_of(posed, sharpness)]
    return posed.views[int(np.argmax(scores))]


def merits_of(posed: PosedPhotos, sharpness: Mapping[str, float]) -> list[Merits]:
    """In the order of the views."""
    subject = _subject(posed.points)
    centres = np.stack([view.camera.centre for view in posed.views])
    distances = np.linalg.norm(centres, axis=1).clip(1e-9)
    middle = np.median(centres, axis=0)
    spread = float(np.sqrt(((centres - middle) ** 2).sum(axis=1).mean())) or 1.0
    sharp = _relative([sharpness.get(view.name) for view in posed.views])
    found = []
    for i, view in enumerate(posed.views):
        whole, off_centre = _framing(view, subject)
        found.append(
            Merits(
                whole=whole,
                off_centre=off_centre,
                distance=abs(float(np.log(distances[i] / np.median(distances)))),
                off_middle=float(np.linalg.norm(centres[i] - middle)) / spread,
                sharp=sharp[i],
                above_deg=float(np.degrees(np.arcsin(np.clip(-centres[i, 1] / distances[i], -1, 1)))),
            )
        )
    return found


def _subject(points: Float32) -> Float64:
    """(S, 3) points within one unit of the origin, the subject's radius; the nearest ones if these are too few."""
    distance = np.linalg.norm(points, axis=1)
    nearest = np.argsort(distance, kind="stable")[: max(SUBJECT_POINTS_MIN, int((distance <= 1.0).sum()))]
    every = max(1, len(nearest) // SUBJECT_POINTS_MAX)
    return np.asarray(points[nearest[::every]], dtype=np.float64)


def _framing(view: View, subject: Float64) -> tuple[float, float]:
    """Share of the subject inside the frame, and how far its median is off the middle in half diagonals (at most 1)."""
    camera = view.camera
    inside = subject @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    ahead = inside[:, 2] > 1e-6
    if not ahead.any():
        return 0.0, 1.0
    pixels = inside[ahead] @ camera.k.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    size = np.array([camera.width, camera.height], dtype=np.float64)
    in_frame = ((pixels > MARGIN * size) & (pixels < (1 - MARGIN) * size)).all(axis=1)
    off = float(np.linalg.norm(np.median(pixels, axis=0) - size / 2) / (np.linalg.norm(size) / 2))
    return float(in_frame.sum()) / len(subject), min(off, 1.0)


def _relative(sharpness: Sequence[float | None]) -> list[float]:
    """Over the median, at most 1: more detail than the others have is the subject's, not the photo's."""
    known = [value for value in sharpness if value is not None]
    median = float(np.median(known)) if known else 0.0
    return [1.0 if value is None or median <= 0 else min(1.0, value / median) for value in sharpness]
