"""Whether cameras lie where the photos' position tags say.
Pure: a robust similarity between two sets of points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from splat_worker.scene import Float64

Metres = tuple[float, float, float]
"""East, north and up in m, from any origin."""
PHOTOS_MIN = 8
EXTENT_MIN_M = 20.0
SPREAD_OF_EXTENT_MAX = 0.1
"""Median distance of the cameras from their tags, as a share of the tags' extent, above which the tags say nothing."""
FAR_OF_SPREAD = 10.0
FAR_MIN_M = 15.0
"""A camera is far if it is ten times as far from its tag as the median camera and at least 15 m: phones are 5 to 10 m
off in a street."""
FAR_OF_EXTENT = 0.1
TRIPLETS, STEPS, SEED = 100, 10, 20261130


def far_from_positions(names: Sequence[str], centres: Float64, positions: Mapping[str, Metres]) -> str | None:
    """The camera that lies farthest from its tag if it lies too far, else None. centres: (C, 3), any frame."""
    rows = [row for row, name in enumerate(names) if name in positions]
    if len(rows) < PHOTOS_MIN:
        return None
    tags = np.array([positions[names[row]] for row in rows])
    extent = float(np.linalg.norm(np.percentile(tags, 90, axis=0) - np.percentile(tags, 10, axis=0)))
    if extent < EXTENT_MIN_M:
        return None
    off = np.linalg.norm(robust_fit(centres[rows], tags) - tags, axis=1)
    spread = float(np.median(off))
    if spread > SPREAD_OF_EXTENT_MAX * extent:
        return None
    worst = int(off.argmax())
    is_far = off[worst] > max(FAR_OF_SPREAD * spread, FAR_MIN_M, FAR_OF_EXTENT * extent)
    return names[rows[worst]] if is_far else None


def robust_fit(source: Float64, target: Float64) -> Float64:
    """`source` (N, 3) moved onto `target` (N, 3) by the similarity that fits most of the points.

    The best of many through three points, then reweighted, so that a few wrong points do not pull it. Deterministic.
    """
    rng = np.random.default_rng(SEED)
    best, best_off = source, np.inf
    for _ in range(TRIPLETS):
        three = np.zeros(len(source))
        three[rng.choice(len(source), 3, replace=False)] = 1.0
        moved = _fit(source, target, three)
        off = float(np.median(np.linalg.norm(moved - target, axis=1)))
        if off < best_off:
            best, best_off = moved, off
    for _ in range(STEPS):
        off = np.linalg.norm(best - target, axis=1)
        best = _fit(source, target, 1.0 / np.maximum(off, 0.1 * float(np.median(off)) + 1e-9) ** 2)
    return best


def _fit(source: Float64, target: Float64, weights: Float64) -> Float64:
    """`source` moved onto `target` by the weighted least squares similarity (Umeyama 1991)."""
    share = weights / weights.sum()
    s, t = source - share @ source, target - share @ target
    u, values, vt = np.linalg.svd((t * share[:, None]).T @ s)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (values * sign).sum() / max(float(share @ (s**2).sum(axis=1)), 1e-12)
    moved: Float64 = scale * s @ (u @ np.diag(sign) @ vt).T + share @ target
    return moved
