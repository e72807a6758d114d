"""Why a photo found no camera, in words that tell what to do about it.
Pure: counts in, sentences out; decides nothing about the scene.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from splat_worker.contract.job_report import Rejected
from splat_worker.photos.door import Photo

KEYPOINTS_FEW = 300
INLIERS_FEW = 15
SOFT_OF_MEDIAN = 0.3


class Unplaced(StrEnum):
    """Why structure from motion could not use a photo that came through the door."""

    FEW_KEYPOINTS = "FEW_KEYPOINTS"
    NO_PARTNER = "NO_PARTNER"
    BLURRED = "BLURRED"
    OTHER_GROUP = "OTHER_GROUP"
    NOT_PLACED = "NOT_PLACED"


@dataclass(frozen=True, kw_only=True)
class Partners:
    """keypoints: features found; inliers: verified matches by partner's file name."""

    keypoints: int
    inliers: Mapping[str, int]


def diagnose(photos: Sequence[Photo], placed: set[str], partners: Mapping[str, Partners]) -> tuple[Rejected, ...]:
    """One reason per photo whose file name is not in `placed`, in the order of `photos`."""
    median = float(np.median([photo.sharpness for photo in photos])) if photos else 0.0
    return tuple(
        _reason(photo, placed, partners[photo.path.name], median) for photo in photos if photo.path.name not in placed
    )


_TALLY = {
    Unplaced.FEW_KEYPOINTS: "show too little detail",
    Unplaced.NO_PARTNER: "share too little with any other",
    Unplaced.BLURRED: "are blurred",
    Unplaced.OTHER_GROUP: "overlap only among themselves",
    Unplaced.NOT_PLACED: "overlap others but fit no camera position",
}


def tally(rejected: Sequence[Rejected]) -> str:
    """` 3 show too little detail and 2 are blurred.`, most frequent first; empty for none."""
    counts = {code: sum(r.code == code for r in rejected) for code in Unplaced}
    parts = [f"{n} {_TALLY[code]}" for code, n in sorted(counts.items(), key=lambda item: -item[1]) if n]
    if not parts:
        return ""
    *most, last = parts
    return f" {', '.join(most)} and {last}." if most else f" {last}."


def _reason(photo: Photo, placed: set[str], own: Partners, median_sharpness: float) -> Rejected:
    good = {name: count for name, count in own.inliers.items() if count >= INLIERS_FEW}
    with_placed = [name for name in good if name in placed]
    if own.keypoints < KEYPOINTS_FEW:
        code, reason = (
            Unplaced.FEW_KEYPOINTS,
            (f"Only {own.keypoints} details could be found in it; plain, dark or shiny surfaces have too few."),
        )
    elif photo.sharpness < SOFT_OF_MEDIAN * median_sharpness:
        code, reason = Unplaced.BLURRED, "It is blurred, and no camera position fits it; hold still or use more light."
    elif not good:
        code, reason = (
            Unplaced.NO_PARTNER,
            ("No other photo shows enough of the same things; take one between it and its neighbours."),
        )
    elif not with_placed:
        code, reason = (
            Unplaced.OTHER_GROUP,
            (f"It overlaps {len(good)} other photos, none of them part of the scene; add photos that join them."),
        )
    else:
        code, reason = (
            Unplaced.NOT_PLACED,
            (
                f"It overlaps {len(with_placed)} photos of the scene, but no camera position fits; something may have"
                " moved, or the same pattern repeats."
            ),
        )
    return Rejected(name=photo.name, code=code.value, reason=reason)
