"""What the cameras' poses alone say about up. People hold cameras level, upright or turned by a right angle, and
drones keep their horizon.

The cameras' x axes then lie in the horizontal plane, and their smallest principal axis is the vertical. Cameras that
all look in one direction have parallel x axes, which leave the pitch open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.frame.evidence import AGREES_MAX_DEG, Evidence, UpFrom, square_to, with_bias
from splat_worker.sfm.frame.middle import centres_of
from splat_worker.sfm.frame.planes import Plane

LEVEL_SPREAD_MIN = 0.02
"""Second smallest eigenvalue of the cameras' x axes. Below it they are all parallel and do not determine up."""
LEVEL_RATIO_MAX = 0.1
"""Smallest of these eigenvalues as a share of the second. Above it the x axes span no plane."""
ROLL_USUAL_DEG = 2.5
ROLL_USUAL_COUNT = 8.0
"""The usual roll of hand-held photos counts like that of this many photos, so that a few that happen to fit claim no
precision."""
BIAS_DEG = 1.0
UPRIGHT_MIN = 0.15
"""Mean part of the cameras' own up along the vertical. Cameras nearer to straight down (81 degrees) could as well look
straight up, at a ceiling."""
SIDEWAYS_MIN = 0.5
SIDEWAYS_BETTER = 4.0
"""Photos count as held sideways only if that explains the axes this many times better."""
SIDEWAYS_SPREAD_MIN = 0.15
"""Second smallest eigenvalue of the y axes for photos held sideways: an arc of 80 degrees. Upright photos in one
direction pitched up and down by 30 degrees give 0.08."""
PATH_SIDEWAYS = 0.7
"""A shorter arc counts as sideways, and not as level, if the path runs along the photos' y axes by this cosine: people
walk more than they climb."""
OFF_PLANE = 0.05
LOW_SHARE = 0.6
"""Things on a floor stay below this share of the cameras' height over it."""
LOOKS_UP_MAX = 0.15
"""Mean part of the optical axes away from the ground, 9 degrees. On a street cameras look a little up."""
LOOKS_DOWN_MIN = 0.1
"""Mean part of the optical axes towards the ground, 6 degrees."""
GROUND_SHARE_MIN = 0.25
FRONTAL_COSINE_MIN = 0.8
SAME_UP_MIN = 0.3
"""Length of the mean of the cameras' own up. Below it they were turned about the viewing direction."""
PITCH_USUAL_DEG = 20.0
PATH_WIDTH_MAX = 0.35
PATH_SLOPE_DEG = 2.5
TILTED_GROUND_MAX_DEG = 50.0
"""Parallel cameras look down at a table by up to this angle. Beyond AGREES_MAX_DEG it is a guess, not a claim."""
ROLL_OF_GROUND_MAX_DEG = 10.0


def camera_evidence(poses: Float64, points: Float64, planes: Sequence[Plane]) -> Evidence:
    """poses: (C, 4, 4) world to camera; points: (P, 3) with their planes, for the sign and the pitch that poses leave
    open."""
    right, down = poses[:, 0, :3], poses[:, 1, :3]
    upright, sideways = _level(right, -down), _level(down, right)
    if sideways and not _may_be_sideways(sideways, poses):
        sideways = None
    stands = upright is not None and upright.own_up >= UPRIGHT_MIN
    if sideways and not (stands and upright and upright.ratio <= SIDEWAYS_BETTER * sideways.ratio):
        return _sideways(sideways, poses, points, planes)
    if upright and stands:
        return Evidence(
            source=UpFrom.LEVEL_CAMERAS,
            direction=upright.vertical,
            precision=upright.precision,
            trusted=upright.spread >= SIDEWAYS_SPREAD_MIN or not _moves_along(down, poses),
        )
    if upright:
        below = upright.vertical if upright.vertical @ poses[:, 2, :3].mean(axis=0) <= 0 else -upright.vertical
        return Evidence(source=UpFrom.STRAIGHT_DOWN, direction=below, precision=upright.precision, trusted=False)
    return _one_direction(poses, planes)


@dataclass(frozen=True, kw_only=True)
class _Level:
    """vertical: (3,) with own_up >= 0; own_up: mean part of the cameras' own up along it; spread: second
    smallest eigenvalue of the axes; ratio: the smallest as a share of it."""

    vertical: Float64
    precision: Float64
    own_up: float
    spread: float
    ratio: float


def _may_be_sideways(level: _Level, poses: Float64) -> bool:
    wide = level.spread >= SIDEWAYS_SPREAD_MIN or _moves_along(poses[:, 1, :3], poses)
    return level.own_up >= SIDEWAYS_MIN and wide


def _moves_along(axes: Float64, poses: Float64) -> bool:
    return abs(float(_path(centres_of(poses))[0] @ axes.mean(axis=0))) >= PATH_SIDEWAYS


def _level(horizontal: Float64, own_up: Float64) -> _Level | None:
    """The vertical if the axes `horizontal` (C, 3) span the horizontal plane; own_up: (C, 3)."""
    values, vectors = np.linalg.eigh(horizontal.T @ horizontal / len(horizontal))
    if values[1] < LEVEL_SPREAD_MIN or values[0] > LEVEL_RATIO_MAX * values[1]:
        return None
    vertical = vectors[:, 0]
    along = float((own_up @ vertical).mean())
    vertical = vertical if along >= 0 else -vertical
    return _Level(
        vertical=vertical,
        precision=_level_precision(horizontal, vertical),
        own_up=abs(along),
        spread=float(values[1]),
        ratio=max(float(values[0] / values[1]), 1e-4),
    )


def _level_precision(horizontal: Float64, vertical: Float64) -> Float64:
    """(3, 3), from how far the axes are off the plane that they span."""
    off = float(((horizontal @ vertical) ** 2).sum())
    usual = ROLL_USUAL_COUNT * np.radians(ROLL_USUAL_DEG) ** 2
    variance = (off + usual) / (max(len(horizontal) - 2, 0) + ROLL_USUAL_COUNT)
    return with_bias(vertical, horizontal.T @ horizontal / variance, BIAS_DEG)


def _sideways(level: _Level, poses: Float64, points: Float64, planes: Sequence[Plane]) -> Evidence:
    """All photos were turned by a right angle the same way. Which way is open: the ground decides, if they look at it
    from above and things stand on it."""
    found = Evidence(source=UpFrom.SIDEWAYS_CAMERAS, direction=level.vertical, precision=level.precision, trusted=False)
    ahead = poses[:, 2, :3].mean(axis=0)
    for plane in planes:
        heights = (centres_of(poses) - plane.middle) @ plane.normal
        above = plane.normal * np.sign(heights.sum())
        normal = above if above @ found.direction >= 0 else -above
        if (
            plane.share >= GROUND_SHARE_MIN
            and found.agrees(normal, BIAS_DEG)
            and abs(np.sign(heights).mean()) > 0.9
            and -ahead @ above >= LOOKS_DOWN_MIN
            and _carries_things((points - plane.middle) @ above, float(np.abs(heights).mean()))
        ):
            sign = 1.0 if above @ found.direction >= 0 else -1.0
            return replace(found, direction=sign * found.direction, trusted=True)
    looks_down = float(-ahead @ found.direction)
    if abs(looks_down) < LOOKS_DOWN_MIN:  # most phones are turned to the left: the photo's right side is down
        looks_down = float(-poses[:, 0, :3].mean(axis=0) @ found.direction)
    return replace(found, direction=np.copysign(1.0, looks_down) * found.direction)


def _carries_things(heights: Float64, cameras: float) -> bool:
    """Whether most of what is off a plane stands low on the cameras' side of it, as on a floor. Below a ceiling it is
    far away. heights: (P,) of the points; cameras: mean height."""
    off = heights[np.abs(heights) > OFF_PLANE * cameras]
    return len(off) >= OFF_PLANE * len(heights) and bool(((off > 0) & (off < LOW_SHARE * cameras)).mean() > 0.5)


def _one_direction(poses: Float64, planes: Sequence[Plane]) -> Evidence:
    """Cameras whose x axes do not span a plane: by their path, a plane that they look at, or their mean."""
    right, down, forward = poses[:, 0, :3], poses[:, 1, :3], poses[:, 2, :3]
    ahead, own_up = forward.mean(axis=0), -down.mean(axis=0)
    looks_ahead = float(np.linalg.norm(ahead))
    if np.linalg.norm(own_up) < SAME_UP_MIN:
        if looks_ahead >= FRONTAL_COSINE_MIN:
            return _guess(UpFrom.STRAIGHT_DOWN, -ahead / looks_ahead)
        return _guess(UpFrom.MEAN_CAMERA, own_up if np.linalg.norm(own_up) > 1e-6 else -down[0])
    own_up = own_up / np.linalg.norm(own_up)
    axis = np.linalg.eigh(right.T @ right)[1][:, 2]
    path, width = _path(centres_of(poses))
    if width <= PATH_WIDTH_MAX and abs(path @ axis) <= 0.5:
        return _along_path(poses, planes, axis=axis, path=path, own_up=own_up)
    by_ground = _ground_near(poses, planes, axis=axis, own_up=own_up)
    if by_ground is not None and by_ground.trusted:
        return by_ground
    frontal = [p for p in planes if p.share >= GROUND_SHARE_MIN and abs(p.normal @ ahead) >= FRONTAL_COSINE_MIN]
    if frontal and width > PATH_WIDTH_MAX:  # a wall is photographed from one height, the ground in strips
        normal = frontal[0].normal
        return _guess(UpFrom.STRAIGHT_DOWN, normal if normal @ ahead <= 0 else -normal)
    return by_ground or _by_mean(poses, axis=axis, own_up=own_up)


def _guess(source: UpFrom, direction: Float64) -> Evidence:
    unit = direction / np.linalg.norm(direction)
    return Evidence(source=source, direction=unit, precision=np.zeros((3, 3)), trusted=False)


def _path(centres: Float64) -> tuple[Float64, float]:
    """Direction of the cameras' path, and its width as a share of its length."""
    spread, axes = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)[1:]
    return axes[0], float(spread[1] / spread[0]) if spread[0] > 0 else 1.0


def _along_path(poses: Float64, planes: Sequence[Plane], *, axis: Float64, path: Float64, own_up: Float64) -> Evidence:
    """A walk or a flight forward is level, so up is square to it and to the x axes. A flight along the view is not, so
    that only the ground makes it a claim. A path along the cameras' own up is a flight over the ground or a lift before
    a wall, which nothing tells apart."""
    direction = np.cross(axis, path)
    direction = direction / np.linalg.norm(direction)
    ahead = poses[:, 2, :3].mean(axis=0)
    if abs(direction @ own_up) < UPRIGHT_MIN:
        return _guess(UpFrom.STRAIGHT_DOWN, direction if direction @ ahead <= 0 else -direction)
    direction = direction if direction @ own_up >= 0 else -direction
    precision = square_to(path, PATH_SLOPE_DEG) + _roll_precision(poses, axis, direction)
    found = Evidence(source=UpFrom.PATH, direction=direction, precision=precision, trusted=False)
    ground = [
        p for p in planes if p.share >= GROUND_SHARE_MIN and found.agrees(_towards(p.normal, direction), BIAS_DEG)
    ]
    return replace(found, trusted=bool(ground))


def _ground_near(poses: Float64, planes: Sequence[Plane], *, axis: Float64, own_up: Float64) -> Evidence | None:
    """A plane that lies level for the cameras' roll, and not far off for the mean of their own up."""
    right, ahead = poses[:, 0, :3], poses[:, 2, :3].mean(axis=0)
    for plane in planes:
        normal = _towards(plane.normal, own_up)
        tilt_deg = float(np.degrees(np.arccos(np.clip(normal @ own_up, -1, 1))))
        roll_deg = float(np.degrees(np.arcsin(np.clip(np.sqrt(((right @ normal) ** 2).mean()), 0, 1))))
        if plane.share < GROUND_SHARE_MIN or roll_deg > ROLL_OF_GROUND_MAX_DEG or tilt_deg > TILTED_GROUND_MAX_DEG:
            continue
        precision = _level_precision(right, normal) + square_to(np.cross(axis, normal), BIAS_DEG)
        from_above = float((centres_of(poses).mean(axis=0) - plane.middle) @ normal) > 0
        trusted = tilt_deg <= AGREES_MAX_DEG and from_above and bool(ahead @ normal < LOOKS_UP_MAX)
        return Evidence(source=UpFrom.PLANE, direction=normal, precision=precision, trusted=trusted)
    return None


def _by_mean(poses: Float64, *, axis: Float64, own_up: Float64) -> Evidence:
    """The mean of the cameras' own up. It is off by as much as they are pitched."""
    precision = _roll_precision(poses, axis, own_up) + square_to(np.cross(axis, own_up), PITCH_USUAL_DEG)
    return Evidence(source=UpFrom.MEAN_CAMERA, direction=own_up, precision=precision, trusted=False)


def _roll_precision(poses: Float64, axis: Float64, direction: Float64) -> Float64:
    """(3, 3), only for the roll of cameras whose x axes are parallel to `axis`."""
    return float(axis @ _level_precision(poses[:, 0, :3], direction) @ axis) * np.outer(axis, axis)


def _towards(normal: Float64, direction: Float64) -> Float64:
    return normal if normal @ direction >= 0 else -normal
