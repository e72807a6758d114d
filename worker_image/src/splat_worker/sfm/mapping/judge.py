"""Judges a model and each of its cameras by what the photos and their matches say.
Pure: arrays in, faults out; every rule is a table row in its test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.mapping.agreement import share_explained
from splat_worker.sfm.mapping.bridges import BRIDGE_MIN, loose_group
from splat_worker.sfm.mapping.evidence import Evidence
from splat_worker.sfm.mapping.level import off_level, rolls_deg
from splat_worker.sfm.mapping.positions import Metres, far_from_positions

PHOTOS_MIN_OF_A_MODEL = 3
POINTS_MIN_PER_PHOTO = 5
ANGLE_MIN_DEG = 1.5
"""Median angle at which the photos see a point, below which a model has no depth. COLMAP drops points below it."""
SPREAD_MIN = 0.005
"""Median distance of the cameras from their middle, as a share of the median depth, below which they stand on one
point. Cameras before a wall have 0.24, orbits and walks 0.4 to 1.6."""
ERROR_MAX_PX_PER_1000 = 1.2
"""Mean reprojection error above which a model counts as wrong, per 1000 px of the longer side. Correct models of our
sets reach 0.24 to 0.9. The global mapper once placed 12 of 12 photos a third of the scene's extent off, at 2.1."""
ERROR_SIDE_MIN_PX = 700
EXPLAINED_MIN = 0.85
"""Share of the verified matches that a model must explain (agreement.py)."""
PHOTO_EXPLAINED_MIN = 0.5
"""The same for one photo: more of its matches agree than contradict. Look-alike surfaces give right cameras wrong
matches too (0.55 beside such boxes); elsewhere photos of correct models reach 0.80 and more."""
PHOTO_MATCHES_MIN = 30
FOCAL_MIN_OF_SIDE, FOCAL_MAX_OF_SIDE = 0.3, 5.0
"""From a 10 mm to a 180 mm lens on full frame."""
BEND_ALWAYS, BEND_PER_CORNER = 0.08, 0.5
"""Largest shift of a photo's corner by distortion, as a share of its distance from the middle: 8 %, or half the squared
tangent of its viewing angle if that is more. An orthographic fisheye, the strongest lens sold, reaches that half."""
PHOTO_ERROR_OF_MEDIAN, PHOTO_ERROR_OF_SIDE = 4.0, 0.002
"""Mean error of one photo above which it is out: four times the median photo's, and 2 px per 1000 of its side."""
PHOTO_POINTS_MIN = 12
NEAR_OF_MEDIAN = 0.01
NEAR_SHARE_MAX = 0.2
"""Share of a photo's points that lie behind it, or nearer than 1 % of the scene's median depth, above which the camera
is out."""
DEPTH_OF_MEDIAN_MAX = 50.0
"""Median depth of a photo's points, as a multiple of the median photo's or its inverse, above which the camera is
out: a close-up and an overview differ by 10 to 20."""
LEVEL_OFF_MAX = 0.2
"""Smallest eigenvalue of the cameras' x axes, as a share of the middle one, above which they do not lie in a plane.
Photos held by hand reach 0.07."""
LEVEL_EXPLAINED_MIN = 0.9
"""A model whose x axes do not lie in a plane must explain more of the matches, as correct models do (0.91 and more).
Both together expose a folded scene; one alone is a photographer who turns the camera."""
ROLL_MIN_DEG, ROLL_OF_MEDIAN = 25.0, 5.0
"""A camera is rolled if its x axis leaves the plane of the others by five times as much as the median one and by 25
degrees."""
ROLLED_EXPLAINED_MIN = 0.8
"""The share of its matches that a rolled camera must explain, as every photo of a correct model does. Both together
expose a camera on the wrong side of what turns before a wall: 0.48 and 42 degrees beside 5. One alone is a photographer
who turns the camera, or look-alike surfaces."""


class Fault(StrEnum):
    """Why a whole model is not used."""

    NO_DEPTH = "no depth"
    LENS = "lens"
    COARSE = "coarse"
    CONTRADICTED = "contradicted"
    FOLDED = "folded"
    LOOSE = "loose"


class Misplaced(StrEnum):
    """Why one camera is taken out of a model that is right."""

    CONTRADICTED = "contradicted"
    COARSE = "coarse"
    FEW_POINTS = "few points"
    DEPTH = "depth"
    LENS = "lens"
    POSITION = "position"
    ROLLED = "rolled"
    LOOSE = "loose"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """fault: None if the model without the misplaced cameras is right; misplaced: by file name."""

    fault: Fault | None
    misplaced: Mapping[str, Misplaced]


def judge(
    evidence: Evidence,
    positions: Mapping[str, Metres] | None = None,
    *,
    photos_min: int,
    bridge_min: int = BRIDGE_MIN,
) -> Verdict:
    """The verdict over a model. Cameras are taken out one at a time, the worst first, until the others agree.

    positions: by file name, from the photos' tags. photos_min: a sound part with fewer photos, or with less than half
    of the model's, is no scene. bridge_min: points that two groups of its photos must share.
    """
    if _has_no_depth(evidence):
        return Verdict(fault=Fault.NO_DEPTH, misplaced={})
    misplaced = misplaced_cameras(evidence, positions or {}, bridge_min)
    remaining = len(evidence.names) - len(misplaced)
    if misplaced and (remaining < photos_min or 2 * remaining < len(evidence.names)):
        most = max(sorted(misplaced.values()), key=list(misplaced.values()).count)
        return Verdict(fault=_FAULT_OF.get(most, Fault.CONTRADICTED), misplaced={})
    return Verdict(fault=_fault(without(evidence, misplaced)), misplaced=misplaced)


_FAULT_OF = {
    Misplaced.LENS: Fault.LENS,
    Misplaced.COARSE: Fault.COARSE,
    Misplaced.FEW_POINTS: Fault.NO_DEPTH,
    Misplaced.LOOSE: Fault.LOOSE,
}


def misplaced_cameras(
    evidence: Evidence, positions: Mapping[str, Metres], bridge_min: int = BRIDGE_MIN
) -> dict[str, Misplaced]:
    """Cameras that contradict the others, by file name. What depends on the others is asked again after each."""
    found = {name: Misplaced.LENS for name, fits in zip(evidence.names, lens_fits(evidence), strict=True) if not fits}
    while len(found) < len(evidence.names):
        rest = without(evidence, found)
        worst = _worst(rest, positions)
        loose = loose_group(rest, bridge_min) if worst is None else ()
        if worst is None and not loose:
            break
        found |= dict.fromkeys(loose, Misplaced.LOOSE) if worst is None else {worst[0]: worst[1]}
    return found


def lens_fits(evidence: Evidence) -> np.ndarray:
    """(C,) bool: the focal length and the distortion are those of a lens that exists."""
    focal = evidence.focals_px / evidence.sides_px
    bend = np.abs(evidence.k1s) * evidence.corners**2
    fits: np.ndarray = (
        (focal >= FOCAL_MIN_OF_SIDE)
        & (focal <= FOCAL_MAX_OF_SIDE)
        & (bend <= np.maximum(BEND_ALWAYS, BEND_PER_CORNER * evidence.corners**2))
    )
    return fits


def viewing_angles_deg(evidence: Evidence) -> Float64:
    """(P,) largest angle between the first ray to a point and the others, in degrees: how well its depth is known."""
    rays = evidence.points[evidence.of_point] - evidence.centres[evidence.of_photo]
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    first = np.zeros((len(evidence.points), 3))
    first[evidence.of_point[::-1]] = rays[::-1]
    cosine = np.ones(len(evidence.points))
    np.minimum.at(cosine, evidence.of_point, np.einsum("oi,oi->o", rays, first[evidence.of_point]))
    angles: Float64 = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angles


def without(evidence: Evidence, names: Mapping[str, object]) -> Evidence:
    """The evidence of the other photos. Points that fewer than two of them see are gone."""
    if not names:
        return evidence
    stays = np.array([name not in names for name in evidence.names], dtype=bool)
    row = np.cumsum(stays) - 1
    seen = stays[evidence.of_photo]
    twice = np.bincount(evidence.of_point[seen], minlength=len(evidence.points)) >= 2
    number = np.cumsum(twice) - 1
    seen &= twice[evidence.of_point]
    return Evidence(
        names=tuple(name for name in evidence.names if name not in names),
        poses=evidence.poses[stays],
        sides_px=evidence.sides_px[stays],
        focals_px=evidence.focals_px[stays],
        k1s=evidence.k1s[stays],
        corners=evidence.corners[stays],
        points=evidence.points[twice],
        of_photo=row[evidence.of_photo[seen]],
        of_point=number[evidence.of_point[seen]],
        depths=evidence.depths[seen],
        errors_px=evidence.errors_px[seen],
        pairs=tuple(pair for pair in evidence.pairs if pair.first not in names and pair.second not in names),
    )


def _has_no_depth(evidence: Evidence) -> bool:
    count = len(evidence.names)
    if count < PHOTOS_MIN_OF_A_MODEL or len(evidence.points) < POINTS_MIN_PER_PHOTO * count:
        return True
    if float(np.median(viewing_angles_deg(evidence))) < ANGLE_MIN_DEG:
        return True
    centres = evidence.centres
    spread = np.median(np.linalg.norm(centres - np.median(centres, axis=0), axis=1))
    return bool(spread < SPREAD_MIN * np.median(np.abs(evidence.depths)))


def _fault(evidence: Evidence) -> Fault | None:
    """The fault of a model as a whole."""
    if _has_no_depth(evidence):
        return Fault.NO_DEPTH
    side_px = max(float(evidence.sides_px.max()), ERROR_SIDE_MIN_PX)
    if float(evidence.errors_px.mean()) > ERROR_MAX_PX_PER_1000 * side_px / 1000:
        return Fault.COARSE
    share = share_explained(evidence.pairs)
    if share < EXPLAINED_MIN:
        return Fault.CONTRADICTED
    if share < LEVEL_EXPLAINED_MIN and off_level(evidence.poses) > LEVEL_OFF_MAX:
        return Fault.FOLDED
    return None


def _worst(evidence: Evidence, positions: Mapping[str, Metres]) -> tuple[str, Misplaced] | None:
    """The camera that fails by most, and why; None if all pass. The surest reasons come first."""
    count = len(evidence.names)
    seen = np.bincount(evidence.of_photo, minlength=count)
    at_least_one = np.maximum(seen, 1)
    middle = float(np.median(evidence.depths)) if len(evidence.depths) else 1.0
    near = np.bincount(evidence.of_photo, evidence.depths < NEAR_OF_MEDIAN * middle, minlength=count) / at_least_one
    error = np.bincount(evidence.of_photo, evidence.errors_px / evidence.sides_px[evidence.of_photo], minlength=count)
    error = error / at_least_one
    error_max = max(PHOTO_ERROR_OF_MEDIAN * float(np.median(error)), PHOTO_ERROR_OF_SIDE)
    depth = np.array([np.median(evidence.depths[evidence.of_photo == row]) if seen[row] else 1 for row in range(count)])
    off = np.abs(np.log(np.maximum(depth, 1e-12) / max(float(np.median(depth)), 1e-12)))
    contradicted = _contradicted(evidence)
    for reason, scores, limit in (
        (Misplaced.FEW_POINTS, PHOTO_POINTS_MIN - seen, 0.0),
        (Misplaced.DEPTH, near, NEAR_SHARE_MAX),
        (Misplaced.COARSE, error, error_max),
        (Misplaced.CONTRADICTED, contradicted, 1 - PHOTO_EXPLAINED_MIN),
        (Misplaced.ROLLED, np.where(_rolled(evidence), contradicted, 0.0), 1 - ROLLED_EXPLAINED_MIN),
        (Misplaced.DEPTH, off, np.log(DEPTH_OF_MEDIAN_MAX)),
    ):
        if scores.max() > limit:
            return evidence.names[int(scores.argmax())], reason
    far = far_from_positions(evidence.names, evidence.centres, positions)
    return None if far is None else (far, Misplaced.POSITION)


def _rolled(evidence: Evidence) -> np.ndarray:
    """(C,) bool: cameras that are rolled while the others are level."""
    rolls = rolls_deg(evidence.poses)
    rolled: np.ndarray = rolls > max(ROLL_MIN_DEG, ROLL_OF_MEDIAN * float(np.median(rolls)))
    return rolled


def _contradicted(evidence: Evidence) -> Float64:
    """(C,) share of a photo's verified matches that the model contradicts; 0 with too few matches."""
    row_of = {name: row for row, name in enumerate(evidence.names)}
    matches, wrong = np.zeros(len(row_of)), np.zeros(len(row_of))
    for pair in evidence.pairs:
        for name in (pair.first, pair.second):
            matches[row_of[name]] += pair.matches
            wrong[row_of[name]] += pair.matches * (1 - pair.explained)
    share: Float64 = np.where(matches < PHOTO_MATCHES_MIN, 0.0, wrong / np.maximum(matches, 1))
    return share
