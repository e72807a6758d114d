"""Distances to the nearest points of a cloud, exact, without a tree: sort along one axis and search outwards.
Used once at the start and once at the end of a training run; knows nothing of Gaussians.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True, nogil=True)
def _search(points, order, wanted, distances):
    count = len(order)
    for place in prange(count):
        i = order[place]
        best = np.full(wanted, np.inf)
        down, up = place - 1, place + 1
        while down >= 0 or up < count:
            below = points[i, 0] - points[order[down], 0] if down >= 0 else np.inf
            above = points[order[up], 0] - points[i, 0] if up < count else np.inf
            gap = min(below, above)
            if gap * gap >= best[wanted - 1]:
                break
            if below <= above:
                j = order[down]
                down -= 1
            else:
                j = order[up]
                up += 1
            square = 0.0
            for c in range(points.shape[1]):
                square += (points[i, c] - points[j, c]) ** 2
            slot = wanted - 1
            if square < best[slot]:
                while slot > 0 and best[slot - 1] > square:
                    best[slot] = best[slot - 1]
                    slot -= 1
                best[slot] = square
        for slot in range(wanted):
            distances[i, slot] = math.sqrt(best[slot])


def nearest_distances(points: np.ndarray, wanted: int) -> np.ndarray:
    """points: (P, 3), P > wanted. Returns (P, wanted) float64 distances to the nearest others, ascending."""
    if len(points) <= wanted:
        raise ValueError(f"{wanted} neighbours of {len(points)} points do not exist")
    spread = points.std(axis=0)
    widest = np.ascontiguousarray(np.roll(points, -int(spread.argmax()), axis=1), dtype=np.float64)
    order = np.argsort(widest[:, 0], kind="stable")
    distances = np.empty((len(points), wanted), np.float64)
    _search(widest, order, wanted, distances)
    return distances
