"""Why a photo got no camera, in words for the person who took it.
Pure: counts in, sentences out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from splat_worker.contract.job_report import Rejected
from splat_worker.photos.validation import Photo

KEYPOINTS_FEW = 300
INLIERS_FEW = 15
SOFT_OF_MEDIAN = 0.3


class Unplaced(StrEnum):
    """Why structure from motion could not use a valid photo."""

    FEW_KEYPOINTS = "FEW_KEYPOINTS"
    NO_PARTNER = "NO_PARTNER"
    BLURRED = "BLURRED"
    OTHER_GROUP = "OTHER_GROUP"
    NOT_PLACED = "NOT_PLACED"


_TALLY = {
    Unplaced.FEW_KEYPOINTS: "with too little detail",
    Unplaced.NO_PARTNER: "with too little overlap",
    Unplaced.BLURRED: "too blurred",
    Unplaced.OTHER_GROUP: "in a separate group",
    Unplaced.NOT_PLACED: "without a fitting camera position",
}
_ADVICE = {
    Unplaced.FEW_KEYPOINTS: "The photos show too little texture. Put something patterned, such as a newspaper, under"
    " and beside the subject, and use more light.",
    Unplaced.NO_PARTNER: "The photos overlap too little. Take one every 10 to 15 degrees around the subject, so that"
    " each photo shows two thirds of the next one.",
    Unplaced.OTHER_GROUP: "The photos form groups that do not overlap. Add photos between the groups.",
    Unplaced.BLURRED: "The photos are blurred. Hold still, use more light, or a faster shutter.",
    Unplaced.NOT_PLACED: "The photos overlap, but show too little depth. Take a step to the side between two photos,"
    " instead of turning on the spot.",
}


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """keypoints: features found; inliers: verified matches by the other photo's file name."""

    keypoints: int
    inliers: Mapping[str, int]


def diagnose(photos: Sequence[Photo], placed: set[str], overlaps: Mapping[str, Overlap]) -> tuple[Rejected, ...]:
    """One reason per photo whose file name is not in `placed`, in the order of `photos`."""
    median = float(np.median([photo.sharpness for photo in photos])) if photos else 0.0
    # Where nothing was placed, photos that all overlap are no group apart from a scene.
    scene = placed or _largest_group(overlaps)
    rejected = []
    for photo in photos:
        if photo.path.name not in placed:
            code, reason = _reason(photo, scene, overlaps[photo.path.name], median)
            rejected.append(Rejected(name=photo.name, code=code, reason=reason))
    return tuple(rejected)


def tally(rejected: Sequence[Rejected]) -> str:
    """` Left out: 3 with too little detail and 2 too blurred.`, most frequent first; empty for none."""
    counts = {code: sum(r.code == code for r in rejected) for code in Unplaced}
    parts = [f"{n} {_TALLY[code]}" for code, n in sorted(counts.items(), key=lambda item: -item[1]) if n]
    if not parts:
        return ""
    *most, last = parts
    return f" Left out: {', '.join(most)} and {last}." if most else f" Left out: {last}."


def advice(rejected: Sequence[Rejected]) -> str | None:
    """The next step for the most frequent reason; None if the general hint fits better."""
    if not rejected:
        return None
    ((code, _),) = Counter(r.code for r in rejected).most_common(1)
    return _ADVICE.get(Unplaced(code))


def _largest_group(overlaps: Mapping[str, Overlap]) -> set[str]:
    """Names of the most photos that are connected by enough matches; empty if no two are."""
    left = {name for name, own in overlaps.items() if any(count >= INLIERS_FEW for count in own.inliers.values())}
    largest: set[str] = set()
    while left:
        group: set[str] = set()
        ahead = [min(left)]
        while ahead:
            name = ahead.pop()
            if name not in group:
                group.add(name)
                ahead += [other for other, count in overlaps[name].inliers.items() if count >= INLIERS_FEW]
        left -= group
        largest = max(largest, group, key=len)
    return largest


def _reason(photo: Photo, placed: set[str], own: Overlap, median_sharpness: float) -> tuple[Unplaced, str]:
    good = {name: count for name, count in own.inliers.items() if count >= INLIERS_FEW}
    with_placed = [name for name in good if name in placed]
    if own.keypoints < KEYPOINTS_FEW:
        return (
            Unplaced.FEW_KEYPOINTS,
            f"Only {own.keypoints} details were found. Plain, dark and shiny surfaces show too few.",
        )
    if photo.sharpness < SOFT_OF_MEDIAN * median_sharpness:
        return Unplaced.BLURRED, "The photo is too blurred to place. Hold still or use more light."
    if not good:
        return (
            Unplaced.NO_PARTNER,
            "No other photo shows enough of the same things. Take one between this photo and its neighbours.",
        )
    if not with_placed:
        return (
            Unplaced.OTHER_GROUP,
            f"It overlaps {len(good)} other photos, but none in the scene. Add photos that connect them.",
        )
    return (
        Unplaced.NOT_PLACED,
        f"It overlaps {len(with_placed)} photos in the scene, but no camera position fits. Something may have moved,"
        " or the same pattern repeats.",
    )
