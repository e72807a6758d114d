"""Verifies matches in memory: COLMAP's two-view geometry of a pair of photos, as its own verification finds it.
Many matches are verified by a sample: the time grows with their number, and the model does not get better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pycolmap

from splat_worker.scene import Float64
from splat_worker.sfm.matching.verify import verification_options

SAMPLE_MAX = 800
"""Matches from which the geometry of a pair is found. All that agree with it become inliers."""

_PLANAR = {
    pycolmap.TwoViewGeometryConfiguration.PLANAR,
    pycolmap.TwoViewGeometryConfiguration.PANORAMIC,
    pycolmap.TwoViewGeometryConfiguration.PLANAR_OR_PANORAMIC,
}
_CALIBRATED = _PLANAR | {pycolmap.TwoViewGeometryConfiguration.CALIBRATED}
_FOUND = _CALIBRATED | {pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED}


@dataclass(frozen=True, kw_only=True, eq=False)
class PhotoFeatures:
    """camera: as the database has it; points: (N, 2) px."""

    camera: pycolmap.Camera
    points: Float64


def verified(one: PhotoFeatures, other: PhotoFeatures, matches: np.ndarray) -> pycolmap.TwoViewGeometry:
    """The geometry of two photos, with its inliers among `matches`, (M, 2) uint32 rows of their points. Takes an evenly
    spaced sample of more than SAMPLE_MAX matches, so that the same matches always give the same geometry. Releases
    Python's lock while COLMAP works."""
    drawn = matches
    if len(matches) > SAMPLE_MAX:
        drawn = matches[np.linspace(0, len(matches) - 1, SAMPLE_MAX).astype(int)]
    geometry = pycolmap.estimate_two_view_geometry(
        one.camera, one.points, other.camera, other.points, np.ascontiguousarray(drawn), verification_options()
    )
    if len(drawn) < len(matches) and geometry.config in _FOUND:
        geometry.inlier_matches = matches[_agreeing(geometry, one, other, matches)]
    return geometry


def _agreeing(
    geometry: pycolmap.TwoViewGeometry, one: PhotoFeatures, other: PhotoFeatures, matches: np.ndarray
) -> np.ndarray:
    """(M,) bool: like COLMAP (estimators/two_view_geometry.cc), those of the model with the most inliers."""
    limit_px = verification_options().ransac.max_error
    a, b = one.points[matches[:, 0]], other.points[matches[:, 1]]
    masks = []
    if geometry.F is not None:
        masks.append(_sampson_squared(geometry.F, a, b) <= limit_px**2)
    if geometry.E is not None and geometry.config in _CALIBRATED:
        limit = 0.5 * sum(photo.camera.cam_from_img_threshold(limit_px) for photo in (one, other))
        rays = (photo.camera.cam_from_img(points) for photo, points in ((one, a), (other, b)))
        masks.append(_sampson_squared(geometry.E, *rays) <= limit**2)
    if geometry.H is not None and geometry.config in _PLANAR:
        masks.append(_transfer_squared(geometry.H, a, b) <= limit_px**2)
    return max(masks, key=np.count_nonzero)


def _sampson_squared(matrix: Float64, a: Float64, b: Float64) -> Float64:
    """Squared Sampson distance of b' M a (Hartley and Zisserman 2003, equation 11.9). a, b: (M, 2)."""
    a, b = _homogeneous(a), _homogeneous(b)
    lines_b, lines_a = a @ matrix.T, b @ matrix
    slopes: Float64 = (lines_b[:, :2] ** 2).sum(1) + (lines_a[:, :2] ** 2).sum(1)
    return (b * lines_b).sum(1) ** 2 / np.maximum(slopes, np.finfo(float).tiny)


def _transfer_squared(matrix: Float64, a: Float64, b: Float64) -> Float64:
    """Squared distance of b from where the homography takes a. a, b: (M, 2)."""
    moved = _homogeneous(a) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        squared: Float64 = ((moved[:, :2] / moved[:, 2:] - b) ** 2).sum(1)
    return np.where(np.isfinite(squared), squared, np.inf)


def _homogeneous(points: Float64) -> Float64:
    return np.column_stack([points, np.ones(len(points))])
