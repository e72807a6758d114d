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
from splat_worker.sfm.mapping.judge import Fault, Misplaced

KEYPOINTS_FEW = 300
INLIERS_FEW = 15
SOFT_OF_MEDIAN = 0.3
FEW_PHOTOS = 8
UNSURE_BELOW_POINTS = 100
"""A photo of a set of FEW_PHOTOS that sees fewer points than this may be in a wrong place. Of 87 models of five to
eight photos, 8 had a camera more than 4 % of the extent off, which nothing contradicted. 7 of them had such a photo,
and so had about half of the right ones (bench/sfm/README.md)."""


class Unplaced(StrEnum):
    """Why structure from motion could not use a valid photo."""

    FEW_KEYPOINTS = "FEW_KEYPOINTS"
    NO_PARTNER = "NO_PARTNER"
    BLURRED = "BLURRED"
    OTHER_GROUP = "OTHER_GROUP"
    NOT_PLACED = "NOT_PLACED"
    MISPLACED = "MISPLACED"


_TALLY = {
    Unplaced.FEW_KEYPOINTS: "with too little detail",
    Unplaced.NO_PARTNER: "with too little overlap",
    Unplaced.BLURRED: "too blurred",
    Unplaced.OTHER_GROUP: "in a separate group",
    Unplaced.NOT_PLACED: "without a fitting camera position",
    Unplaced.MISPLACED: "with a camera position that the others contradict",
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
_MISPLACED = {
    Misplaced.CONTRADICTED: "Its matches with other photos contradict the camera position found for it. Something may"
    " have moved, or the same pattern repeats.",
    Misplaced.COARSE: "The points that it sees fit its camera position far worse than in the other photos.",
    Misplaced.FEW_POINTS: "It sees too few points of the scene to be sure of its camera position. Take one photo"
    " between this one and its neighbours.",
    Misplaced.DEPTH: "The camera position found for it lies inside or far outside the scene.",
    Misplaced.LENS: "The focal length or the distortion found for it fits no real lens.",
    Misplaced.POSITION: "The camera position found for it lies far from where its GPS position says.",
    Misplaced.LOOSE: "Its group of photos shares too few points with the others to be sure of its place."
    " Add photos between the groups.",
    Misplaced.ROLLED: "The camera found for it is tilted to one side, unlike the others, and matches contradict it.",
}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with a whole set of photos. message: what and why; hint: the next step."""

    message: str
    hint: str


ONE_SPOT = Trouble(
    message="The photos show no depth.",
    hint="Walk around the subject; all photos were taken from one spot.",
)
STILL_BACKGROUND = Trouble(
    message="The background stands still while the subject turns, so that the two contradict each other.",
    hint="Use a plain background without any texture, or masks, or walk around the subject.",
)
STILL_BACKGROUND_NOTE = (
    "The background stood still while the subject turned. It was left out when the camera positions were found, but it"
    " blurs the scene. Use a plain background or masks."
)
LEARNED_NOTE = (
    "The photos were taken in wide steps. Learned features found the overlap of some of them, which is less exact."
    " Photos in smaller steps, every 10 to 15 degrees, give a sharper scene."
)
TROUBLE_BY_FAULT = {
    Fault.NO_DEPTH: Trouble(
        message="The photos show too little depth.",
        hint="Walk around the subject. Photos from one spot, or along one line of sight, show no depth.",
    ),
    Fault.LENS: Trouble(
        message="The focal lengths and distortions that fit the photos are those of no real lens.",
        hint="Use photos as the camera took them, neither cropped nor stretched, with one lens and without zooming.",
    ),
    Fault.COARSE: Trouble(
        message="The camera positions found fit the photos too coarsely.",
        hint="Nothing may move while you take the photos. Keep the focus and the zoom constant.",
    ),
    Fault.CONTRADICTED: Trouble(
        message="Many matches between the photos contradict the camera positions found.",
        hint="Surfaces that look alike are easily confused. Put different objects beside each, take photos in smaller"
        " steps, and keep everything still.",
    ),
    Fault.LOOSE: Trouble(
        message="The photos form groups that share too few points to be put together.",
        hint="Add photos between the groups, in steps of 10 to 15 degrees.",
    ),
    Fault.FOLDED: Trouble(
        message="The camera positions found turn in all directions, and matches contradict them.",
        hint="Surfaces that look alike are easily confused. Put different objects beside each, and take photos in"
        " smaller steps.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """keypoints: features found; inliers: verified matches by the other photo's file name."""

    keypoints: int
    inliers: Mapping[str, int]


def diagnose(
    photos: Sequence[Photo],
    placed: set[str],
    overlaps: Mapping[str, Overlap],
    misplaced: Mapping[str, Misplaced] | None = None,
) -> tuple[Rejected, ...]:
    """One reason per photo whose file name is not in `placed`, in the order of `photos`. misplaced: photos whose camera
    was taken out, by file name."""
    taken_out = misplaced or {}
    median = float(np.median([photo.sharpness for photo in photos])) if photos else 0.0
    # Where nothing was placed, photos that all overlap are no group apart from a scene.
    scene = placed or _largest_group(overlaps)
    rejected = []
    for photo in photos:
        if photo.path.name not in placed:
            if photo.path.name in taken_out:
                code, reason = Unplaced.MISPLACED, _MISPLACED[taken_out[photo.path.name]]
            else:
                code, reason = _reason(photo, scene, overlaps[photo.path.name], median)
            rejected.append(Rejected(name=photo.name, code=code, reason=reason))
    return tuple(rejected)


def unsure_note(seen: Mapping[str, int]) -> str | None:
    """What to say of a scene of few photos that might be wrong. seen: points of the scene that each placed photo sees,
    by name."""
    weakest = min(sorted(seen), key=lambda name: seen[name])
    if len(seen) > FEW_PHOTOS or seen[weakest] >= UNSURE_BELOW_POINTS:
        return None
    return (
        f"It is not certain that the camera positions are right: {weakest} shares only {seen[weakest]} points with the"
        " other photos. Look at the scene from several sides. If it is wrong, add photos between the others."
    )


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
