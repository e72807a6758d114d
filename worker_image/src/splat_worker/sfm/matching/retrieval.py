"""How alike photos are by their largest features: which photos may show the same things wherever they were taken.
Reads the features of a COLMAP database; compares no pair in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from splat_worker.sfm.matching.gpu import MAX_DISTANCE, MAX_RATIO

FEATURES_MIN, FEATURES_MAX = 80, 200
FEATURES_OF_SET = 60_000
"""Features compared per photo: 200 up to 300 photos, fewer in larger sets, whose pairs grow with the square. The
largest features repeat from the most distances (Wu 2013, Towards Linear-Time Incremental Structure from Motion)."""
SQUARE = 512.0**2
"""Squared length of COLMAP's SIFT descriptors, which are rounded to bytes. Sums of their products are integers below
2^24, so that float32 holds them exactly and any number of threads gives the same."""

Likeness = NDArray[np.int32]


def likeness(database: Path, names: Sequence[str]) -> Likeness:
    """(N, N) symmetric: matches among the largest features of two photos. names: file names of the photos, in order."""
    count = features_per_photo(len(names))
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        largest = np.stack([_largest(db, ids[name], count) for name in names])
    return alike(largest)


def features_per_photo(photos: int) -> int:
    return min(max(FEATURES_OF_SET // max(photos, 1), FEATURES_MIN), FEATURES_MAX)


def alike(descriptors: NDArray[np.float32]) -> Likeness:
    """(N, N) mutual matches by the matchers' rule. descriptors: (N, K, 128) bytes as float32, zero rows where a photo
    has fewer."""
    photos, count, width = descriptors.shape
    found = np.zeros((photos, photos), np.int32)
    rows = descriptors.reshape(-1, width)
    for i in range(photos - 1):
        products = (rows[(i + 1) * count :] @ descriptors[i].T).reshape(-1, count, count)  # of photo, its row, ours
        found[i, i + 1 :] = found[i + 1 :, i] = _mutual(products)
    return found


def _mutual(products: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M,) matches of M photos with one. products: (M, K, K), changed."""
    ours = products.argmax(axis=2)
    theirs = products.argmax(axis=1)
    mutual = np.take_along_axis(theirs, ours, axis=1) == np.arange(products.shape[1])
    best = np.take_along_axis(products, ours[:, :, None], axis=2)[:, :, 0]
    np.put_along_axis(products, ours[:, :, None], -1.0, axis=2)
    # 1 - cos is half the squared angle, so that the ratio of angles counts squared.
    near, next_near = 1.0 - best / SQUARE, 1.0 - products.max(axis=2) / SQUARE
    close = (near <= 1.0 - math.cos(MAX_DISTANCE)) & (near < MAX_RATIO**2 * next_near)
    counts: NDArray[np.int64] = (mutual & close).sum(axis=1)
    return counts


def _largest(db: pycolmap.Database, image_id: int, count: int) -> NDArray[np.float32]:
    """(count, 128) descriptors of a photo's largest features, zero rows where it has fewer."""
    out = np.zeros((count, 128), np.float32)
    if db.num_keypoints_for_image(image_id) == 0:
        return out
    rows = np.argsort(-_areas(np.asarray(db.read_keypoints(image_id), np.float64)), kind="stable")[:count]
    out[: len(rows)] = np.asarray(db.read_descriptors(image_id).data)[rows]
    return out


def _areas(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) scale squared. keypoints: (N, 4) x, y, scale and orientation as features on the GPU are stored, or (N, 6) x,
    y and the affine frame that COLMAP's extractor writes. Raises ValueError on another shape."""
    columns = keypoints.shape[1]
    if columns == 4:
        areas: NDArray[np.float64] = keypoints[:, 2] ** 2
        return areas
    if columns == 6:
        a, b, c, d = keypoints[:, 2:].T
        return np.abs(a * d - b * c)
    raise ValueError(f"keypoints have {columns} columns, expected 4 or 6")
