"""Real size and place of a scene: the similarity from its frame to metres east, north and up, from position tags.

The scene stands upright already, so only a turn about the vertical, a scale and a shift are open. They are fitted to
latitude and longitude alone: phones know their altitude to 10 m at best. Tags can be wrong, so the fit keeps what most
photos agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float64

POSITIONS_MIN = 4
INLIER_SHARE_MIN = 0.6
DRAWS = 300
OUTLIER_SIGMAS = 3.0
NOISE_MIN_M = 0.3
"""Standard deviation of satellite positions within one walk or flight, at the least."""
SCALE_ERROR_MAX = 0.05
"""Relative standard error of the size. A walk around a teapot has positions that differ by their noise alone."""
EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""WGS 84."""

Position = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Earth:
    """metres_per_unit: of the scene's frame. error: relative standard error of that, 0.02 for 2 %. off_m: root mean
    square distance of the cameras that fit from their positions; used: how many fit, of `given`. scene_to_enu: (4, 4),
    to m east, north and up of the scene's origin, which is at `origin`: latitude and longitude in degrees, altitude in
    m, or None where no tag has one."""

    metres_per_unit: float
    error: float
    off_m: float
    used: int
    given: int
    scene_to_enu: Float64
    origin: tuple[float, float, float | None]


def find_earth(centres: Float64, positions: Sequence[Position | None], *, seed: int = 0) -> Earth | None:
    """Size and place of an upright scene, None where the positions do not say enough.

    centres: (C, 3) of the cameras in the frame of the scene (y down); positions: latitude, longitude, altitude (0:
    unknown) of each.
    """
    has = [i for i, position in enumerate(positions) if position is not None]
    if len(has) < POSITIONS_MIN:
        return None
    known = np.array([positions[i] for i in has], dtype=np.float64)
    middle = (float(np.median(known[:, 0])), _middle_degrees(known[:, 1]), 0.0)
    metres = _enu(known * (1, 1, 0), middle)
    plan = centres[has][:, 0] + 1j * centres[has][:, 2]  # seen from above: x to the right, z ahead
    place = metres[:, 0] + 1j * metres[:, 1]
    inliers = _agreeing(plan, place, np.random.default_rng(seed))
    if inliers is None:
        return None
    factor, shift = _fitted(plan[inliers], place[inliers])
    off = np.abs(factor * plan[inliers] + shift - place[inliers])
    freedom = 2 * int(inliers.sum()) - 4
    sigma_m = max(float(np.sqrt((off**2).sum() / freedom)), NOISE_MIN_M)  # of one coordinate
    spread_m = float(np.sqrt((np.abs(place[inliers] - place[inliers].mean()) ** 2).sum()))
    error = sigma_m / max(spread_m, 1e-9)
    if error > SCALE_ERROR_MAX:
        return None
    scale, turn = abs(factor), factor / abs(factor)
    to_enu = np.eye(4)
    to_enu[:3, :3] = scale * np.array([[turn.real, 0, -turn.imag], [turn.imag, 0, turn.real], [0, -1, 0]])
    altitudes = known[:, 2]
    with_altitude = inliers & (altitudes != 0.0)
    heights = -scale * centres[has][:, 1]
    altitude = float(np.median((altitudes - heights)[with_altitude])) if with_altitude.any() else None
    latitude, longitude = _geodetic(shift.real, shift.imag, middle)
    return Earth(
        metres_per_unit=float(scale),
        error=float(error),
        off_m=float(np.sqrt((off**2).mean())),
        used=int(inliers.sum()),
        given=len(has),
        scene_to_enu=to_enu,
        origin=(latitude, longitude, altitude),
    )


def ecef_of(earth: Earth) -> Float64:
    """(4, 4) from the frame of the scene to WGS 84's earth-centred axes in m (EPSG:4978)."""
    latitude, longitude, altitude = earth.origin
    origin = (latitude, longitude, altitude or 0.0)
    to_earth = np.eye(4)
    to_earth[:3, :3] = _axes(origin).T
    to_earth[:3, 3] = _ecef(np.array([origin]))[0]
    return to_earth @ earth.scene_to_enu


def _agreeing(plan: Float64, place: Float64, rng: np.random.Generator) -> np.ndarray | None:
    """(N,) which positions agree about one similarity: the one with the least median error over pairs drawn at random
    (least median of squares), then those within OUTLIER_SIGMAS of it."""
    count, best, least = len(plan), None, np.inf
    for _ in range(DRAWS):
        i, j = rng.choice(count, 2, replace=False)
        if abs(plan[j] - plan[i]) < 1e-9:
            continue
        factor = (place[j] - place[i]) / (plan[j] - plan[i])
        off = np.abs(factor * (plan - plan[i]) + place[i] - place)
        if np.median(off) < least and abs(factor) > 0:
            best, least = off, float(np.median(off))
    if best is None:
        return None
    inliers = best <= max(OUTLIER_SIGMAS * least, OUTLIER_SIGMAS * NOISE_MIN_M)
    for _ in range(5):
        factor, shift = _fitted(plan[inliers], place[inliers])
        off = np.abs(factor * plan + shift - place)
        limit = OUTLIER_SIGMAS * max(1.25 * float(np.median(off[inliers])), NOISE_MIN_M)
        if np.array_equal(off <= limit, inliers):
            break
        inliers = off <= limit
    return inliers if inliers.sum() >= max(POSITIONS_MIN, INLIER_SHARE_MIN * count) else None


def _fitted(plan: Float64, place: Float64) -> tuple[complex, complex]:
    """(factor, shift) with the least squared error of factor * plan + shift, in complex numbers."""
    a, b = plan - plan.mean(), place - place.mean()
    factor = complex(np.vdot(a, b) / max(np.vdot(a, a).real, 1e-300))
    return factor, complex(place.mean() - factor * plan.mean())


def _enu(positions: Float64, origin: Position) -> Float64:
    """(N, 3) latitude and longitude in degrees and altitude in m to m east, north and up of the origin."""
    return (_ecef(positions) - _ecef(np.array([origin]))[0]) @ _axes(origin).T


def _ecef(positions: Float64) -> Float64:
    latitude, longitude, height = np.radians(positions[:, 0]), np.radians(positions[:, 1]), positions[:, 2]
    eccentric = FLATTENING * (2 - FLATTENING)
    normal = EQUATOR_M / np.sqrt(1 - eccentric * np.sin(latitude) ** 2)
    level = (normal + height) * np.cos(latitude)
    return np.column_stack(
        [level * np.cos(longitude), level * np.sin(longitude), (normal * (1 - eccentric) + height) * np.sin(latitude)]
    )


def _axes(origin: Position) -> Float64:
    """(3, 3) rows east, north, up in earth-centred axes."""
    latitude, longitude = np.radians(origin[0]), np.radians(origin[1])
    sin_p, cos_p, sin_l, cos_l = np.sin(latitude), np.cos(latitude), np.sin(longitude), np.cos(longitude)
    return np.array(
        [[-sin_l, cos_l, 0], [-sin_p * cos_l, -sin_p * sin_l, cos_p], [cos_p * cos_l, cos_p * sin_l, sin_p]]
    )


def _geodetic(east: float, north: float, origin: Position) -> tuple[float, float]:
    """Latitude and longitude in degrees of a place that many m from the origin: exact to mm within kilometres."""
    latitude, longitude = origin[0], origin[1]
    for _ in range(4):
        there = _enu(np.array([[latitude, longitude, 0.0]]), origin)[0]
        eccentric = FLATTENING * (2 - FLATTENING)
        sin2 = np.sin(np.radians(latitude)) ** 2
        normal = EQUATOR_M / np.sqrt(1 - eccentric * sin2)
        meridian = EQUATOR_M * (1 - eccentric) / (1 - eccentric * sin2) ** 1.5
        latitude += float(np.degrees((north - there[1]) / meridian))
        longitude += float(np.degrees((east - there[0]) / (normal * np.cos(np.radians(latitude)))))
    return latitude, (longitude + 180.0) % 360.0 - 180.0


def _middle_degrees(longitudes: Float64) -> float:
    """Also where the photos lie on both sides of the 180th meridian."""
    turns = (longitudes - longitudes[0] + 180.0) % 360.0 - 180.0
    return float((longitudes[0] + np.median(turns) + 180.0) % 360.0 - 180.0)
