"""Which pairs of photos to compare.
Pure: order, positions and likeness in, index pairs out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from splat_worker.contract.job_input import Matching

EXHAUSTIVE_MAX = 100
"""Photos up to which all pairs are compared: 4,950 pairs take about 5 minutes on two cores at 1000 px."""
CLIP_EXHAUSTIVE_MAX = 30
"""The same for frames of one clip, whose neighbours are known: beyond it, frames are compared with those near in time
and with those that look alike, which closes the loop of a walk around a subject."""
SPATIAL_SHARE_MIN = 0.9
SPATIAL_EXTENT_MIN_M = 5.0
SPATIAL_NEIGHBOURS, SPATIAL_NEIGHBOURS_JOINED = 24, 16
SEQUENTIAL_OVERLAP, SEQUENTIAL_OVERLAP_JOINED = 12, 6
RETRIEVED = 16
"""Photos that are most alike, per photo."""
SHARED_MAX = 24
"""Photos per photo and round that are compared because both overlap a third one."""
EARTH_RADIUS_M = 6_371_000.0

Position = tuple[float, float, float]
Pairs = tuple[tuple[int, int], ...]
FindLikeness = Callable[[], NDArray[np.int32]]
"""(N, N) symmetric: how alike two photos are."""


class Way(StrEnum):
    """A way to find pairs. The report names them in this order."""

    EXHAUSTIVE = "exhaustive"
    SPATIAL = "spatial"
    SEQUENTIAL = "sequential"
    RETRIEVAL = "retrieval"


Ways = tuple[Way, ...]


def choose(wanted: Matching, positions: Sequence[Position | None], *, one_clip: bool = False) -> Ways:
    """The ways for this set; their pairs are joined. SPATIAL without positions is treated as AUTO. one_clip: all
    photos are frames of one clip."""
    located = is_located(positions)
    if wanted == Matching.SPATIAL and not located:
        wanted = Matching.AUTO
    if wanted != Matching.AUTO:
        return (Way(wanted.value),)
    if len(positions) <= (CLIP_EXHAUSTIVE_MAX if one_clip else EXHAUSTIVE_MAX):
        return (Way.EXHAUSTIVE,)
    return (Way.SPATIAL, Way.SEQUENTIAL, Way.RETRIEVAL) if located else (Way.SEQUENTIAL, Way.RETRIEVAL)


def is_located(positions: Sequence[Position | None]) -> bool:
    """Whether enough photos have a position, and the positions differ."""
    known = sum(position is not None for position in positions)
    return known >= SPATIAL_SHARE_MIN * len(positions) and _extent_m(positions) > SPATIAL_EXTENT_MIN_M


def pairs_of(ways: Ways, positions: Sequence[Position | None], find_likeness: FindLikeness | None = None) -> Pairs:
    """Index pairs (i < j), each once, ordered by first photo: COLMAP keeps a photo's search index only while it
    works on it, and any other order takes a third longer. find_likeness: needed for RETRIEVAL, and called for it."""
    n = len(positions)
    found: set[tuple[int, int]] = set()
    for way in ways:
        if way is Way.SPATIAL:
            found |= _spatial(positions, SPATIAL_NEIGHBOURS if len(ways) == 1 else SPATIAL_NEIGHBOURS_JOINED)
        elif way is Way.SEQUENTIAL:
            found |= _sequential(n) if len(ways) == 1 else _near(n, range(1, SEQUENTIAL_OVERLAP_JOINED + 1))
        elif way is Way.RETRIEVAL:
            assert find_likeness is not None, "retrieval needs the photos' likeness"
            found |= _best(find_likeness(), RETRIEVED)
        else:
            found |= {(i, j) for i in range(n) for j in range(i + 1, n)}
    return tuple(sorted(found))


def by_shared_overlap(overlapping: Iterable[tuple[int, int]], compared: Pairs, n: int) -> Pairs:
    """Pairs of n photos that were not compared, but overlap a third photo both. Of each photo those that share most.

    On 167 photos from a drone they hold every overlap that position, order and likeness miss (bench/sfm/README.md)."""
    near = np.zeros((n, n), dtype=np.int32)
    for i, j in overlapping:
        near[i, j] = near[j, i] = 1
    shared = near @ near
    for i, j in compared:
        shared[i, j] = shared[j, i] = 0
    return tuple(sorted(_best(shared, SHARED_MAX)))


def _sequential(n: int) -> set[tuple[int, int]]:
    """Neighbours in order, photos 16, 32, 64 ... apart for slow walks that come back, and every n-th photo with every
    n-th other, so that photos in random order still connect."""
    steps = list(range(1, SEQUENTIAL_OVERLAP + 1))
    steps += [1 << e for e in range(4, max(5, n.bit_length())) if 1 << e < n]
    near = _near(n, steps)
    stride = max(1, math.ceil(n / 40))
    sparse = {(i, j) for i in range(0, n, stride) for j in range(i + 1, n, stride)}
    return near | sparse


def _near(n: int, steps: Iterable[int]) -> set[tuple[int, int]]:
    return {(i, i + step) for step in steps for i in range(n - step)}


def _spatial(positions: Sequence[Position | None], neighbours: int) -> set[tuple[int, int]]:
    n = len(positions)
    metres = local_metres(positions)
    found: set[tuple[int, int]] = set()
    for i in range(n):
        if np.isnan(metres[i, 0]):
            found |= {_pair(i, j) for j in range(n) if j != i}
            continue
        distance = np.linalg.norm(metres - metres[i], axis=1)
        distance[i] = np.inf
        nearest = np.argsort(np.nan_to_num(distance, nan=np.inf), kind="stable")[: min(neighbours, n - 1)]
        found |= {_pair(i, int(j)) for j in nearest}
    return found


def _best(scores: NDArray[np.int32], count: int) -> set[tuple[int, int]]:
    """Each photo with the `count` others of the highest score above 0. scores: (N, N) symmetric."""
    found: set[tuple[int, int]] = set()
    for i, row in enumerate(scores):
        best = [int(j) for j in np.argsort(-row, kind="stable") if j != i][:count]
        found |= {_pair(i, j) for j in best if row[j] > 0}
    return found


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


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
