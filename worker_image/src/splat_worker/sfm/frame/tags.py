"""What the tags of the photos say about up: gravity by the phone's or the gimbal's sensor, and positions by satellite.
Tags can be wrong, so each kind must agree with itself over the photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.frame.evidence import Evidence, Tags, UpFrom, around
from splat_worker.sfm.frame.middle import centres_of

PHOTOS_MIN = 3
PHOTOS_SHARE_MIN = 0.25
AGREE_DEG = 10.0
AGREE_SHARE_MIN = 0.7
SENSOR_SIGMA_DEG = 1.0
"""Error of an accelerometer in a phone that is held still, common to all its photos."""
POSITIONS_MIN = 5
FIT_ERROR_MAX_DEG = 3.0
EARTH_RADIUS_M = 6_371_000.0


def tag_evidence(poses: Float64, tags: Sequence[Tags]) -> list[Evidence]:
    """poses: (C, 4, 4) world to camera, one for each of `tags` if there are any."""
    return [e for e in (_gravity(poses, tags), _positions(poses, tags)) if e is not None]


def _gravity(poses: Float64, tags: Sequence[Tags]) -> Evidence | None:
    """The mean of what the sensors say, if most agree once they are turned into the world by the poses."""
    ups = np.array([-pose[:3, :3].T @ np.array(t.down) for pose, t in zip(poses, tags, strict=bool(tags)) if t.down])
    if len(ups) < max(PHOTOS_MIN, PHOTOS_SHARE_MIN * len(poses)):
        return None
    cosines = ups @ ups.T
    agree = cosines[int(np.median(cosines, axis=1).argmax())] >= np.cos(np.radians(AGREE_DEG))
    if agree.mean() < AGREE_SHARE_MIN:
        return None
    up = ups[agree].mean(axis=0)
    up = up / np.linalg.norm(up)
    scatter_deg = float(np.degrees(np.sqrt(((ups[agree] - up) ** 2).sum(axis=1).mean() / 2)))
    sigma_deg = float(np.hypot(SENSOR_SIGMA_DEG, scatter_deg / np.sqrt(agree.sum())))
    return Evidence(source=UpFrom.GRAVITY, direction=up, precision=around(up, sigma_deg), trusted=True)


def _positions(poses: Float64, tags: Sequence[Tags]) -> Evidence | None:
    """The vertical of the similarity that maps the cameras to their positions on Earth, if these span enough."""
    has = [i for i, t in enumerate(tags) if t.position is not None and t.position[2] != 0.0]
    if len(has) < max(POSITIONS_MIN, 0.5 * len(poses)):
        return None
    earth = _east_north_up(np.array([tags[i].position for i in has]))
    cameras = centres_of(poses[has])
    cameras = cameras - cameras.mean(axis=0)
    u, s, vt = np.linalg.svd(earth.T @ cameras)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    fitted = float((s * sign).sum() / max((cameras**2).sum(), 1e-300)) * cameras @ rotation.T
    off_m = float(np.sqrt(((earth - fitted) ** 2).sum() / max(3 * len(has) - 7, 1)))
    second_m = float(np.linalg.svd(fitted, compute_uv=False)[1])
    if second_m <= 0:
        return None
    sigma_deg = float(np.hypot(0.5, np.degrees(off_m / second_m)))
    if sigma_deg > FIT_ERROR_MAX_DEG:
        return None
    up = rotation.T @ np.array([0.0, 0.0, 1.0])
    return Evidence(source=UpFrom.POSITIONS, direction=up, precision=around(up, sigma_deg), trusted=True)


def _east_north_up(positions: Float64) -> Float64:
    """(N, 3) latitude and longitude in degrees and altitude in m, to m about their mean."""
    latitude, longitude = np.radians(positions[:, 0]), np.radians(positions[:, 1])
    turn = (longitude - longitude[0] + np.pi) % (2 * np.pi) - np.pi  # across the 180th meridian too
    east = EARTH_RADIUS_M * turn * np.cos(latitude.mean())
    out = np.column_stack([east, EARTH_RADIUS_M * latitude, positions[:, 2]])
    return out - out.mean(axis=0)
