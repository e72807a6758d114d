"""Which pairs of photos to compare.
Pure: order and positions in, index pairs out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from splat_worker.contract.job_input import Matching

EXHAUSTIVE_MAX = 80
"""Photos up to which all pairs are compared: 3,160 pairs take about 3 minutes on two cores at 1000 px."""
SPATIAL_SHARE_MIN = 0.9
SPATIAL_NEIGHBOURS = 24
SEQUENTIAL_OVERLAP = 12
EARTH_RADIUS_M = 6_371_000.0

Position = tuple[float, float, float]
Pairs = tuple[tuple[int, int], ...]


def choose(wanted: Matching, positions: Sequence[Position | None]) -> Matching:
    """Resolve AUTO for this set. SPATIAL without positions is treated as AUTO."""
    known = sum(position is not None for position in positions)
    located = known >= SPATIAL_SHARE_MIN * len(positions) and _extent_m(positions) > 5.0
    if wanted == Matching.SPATIAL and not located:
        wanted = Matching.AUTO
    if wanted != Matching.AUTO:
        return wanted
    if len(positions) <= EXHAUSTIVE_MAX:
        return Matching.EXHAUSTIVE
    return Matching.SPATIAL if located else Matching.SEQUENTIAL


def pairs_of(matching: Matching, positions: Sequence[Position | None]) -> Pairs:
    """Index pairs (i < j), each once, ordered by first photo: COLMAP keeps a photo's search index only while it
    works on it, and any other order takes a third longer."""
    n = len(positions)
    if matching == Matching.SPATIAL:
        found = _spatial(positions)
    elif matching == Matching.SEQUENTIAL:
        found = _sequential(n)
    else:
        found = {(i, j) for i in range(n) for j in range(i + 1, n)}
    return tuple(sorted(found))


def _sequential(n: int) -> set[tuple[int, int]]:
    """Neighbours in order, photos 16, 32, 64 ... apart for slow walks that come back, and every n-th photo with every
    n-th other, so that photos in random order still connect."""
    steps = list(range(1, SEQUENTIAL_OVERLAP + 1))
    steps += [1 << e for e in range(4, max(5, n.bit_length())) if 1 << e < n]
    near = {(i, i + step) for step in steps for i in range(n - step)}
    stride = max(1, math.ceil(n / 40))
    sparse = {(i, j) for i in range(0, n, stride) for j in range(i + 1, n, stride)}
    return near | sparse


def _spatial(positions: Sequence[Position | None]) -> set[tuple[int, int]]:
    n = len(positions)
    metres = local_metres(positions)
    found: set[tuple[int, int]] = set()
    for i in range(n):
        if np.isnan(metres[i, 0]):
            found |= {(min(i, j), max(i, j)) for j in range(n) if j != i}
            continue
        distance = np.linalg.norm(metres - metres[i], axis=1)
        distance[i] = np.inf
        nearest = np.argsort(np.nan_to_num(distance, nan=np.inf))[: min(SPATIAL_NEIGHBOURS, n - 1)]
        found |= {(min(i, int(j)), max(i, int(j))) for j in nearest}
    return found


def local_metres(positions: Sequence[Position | None]) -> np.ndarray:
    """(N, 2) east, north in m around the mean; NaN where unknown. Phones report altitude too roughly to use."""
    known = np.array([p[:2] if p else (np.nan, np.nan) for p in positions], dtype=np.float64).reshape(-1, 2)
    if np.isnan(known).all():
        return known
    origin = np.nanmean(known, axis=0)
    scale = np.radians(1.0) * EARTH_RADIUS_M * np.array([1.0, math.cos(math.radians(origin[0]))])
    return (known - origin)[:, ::-1] * scale[::-1]


def _extent_m(positions: Sequence[Position | None]) -> float:
    metres = local_metres(positions)
    if np.isnan(metres).all():
        return 0.0
    return float(np.nanmax(np.nanmax(metres, axis=0) - np.nanmin(metres, axis=0)))
