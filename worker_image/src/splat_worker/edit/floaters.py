"""Removes floaters of a finished scene: small groups of Gaussians that hang apart from everything else. Pure, from the
middles alone, so that a viewer that holds nothing else can show the same before it is applied.

Space is cut into cells. Beyond the subject's radius they grow with the distance, as in mip-NeRF 360: a far wall or a
sky is made of few Gaussians and still connects. Cells that touch, also by a corner, belong together. A group of cells
with few Gaussians is removed. Cells beyond `reach` are never removed: what lies behind the cameras is background.

The web app runs the same arithmetic (edge_worker/web/src/scene/floaters.ts): change both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splat_worker.scene import Bool, Float32, Gaussians

CELLS_MIN, CELLS_MAX = 32, 80
"""Cells along each side of space, for strength 0 and 1: smaller cells find narrower gaps."""
SHARE_MAX = 0.02
"""Share of the Gaussians that the largest removed group has, at strength 1."""
EXTENT = 2.0
"""Contracted space is a ball of this radius."""
REACH = 4.0
"""Where nothing else is known: twice the usual distance of a camera, in the subject's radius."""


def without_floaters(gaussians: Gaussians, *, strength: float, reach: float = REACH) -> Gaussians:
    """strength: 0 to 1. reach: scene units from the middle within which floaters are searched."""
    return gaussians.select(~floating(gaussians.means, strength=strength, reach=reach))


def floating(means: Float32, *, strength: float, reach: float = REACH) -> Bool:
    """(N,) whether a Gaussian belongs to a small group of its own. means: (N, 3)."""
    if len(means) == 0 or strength <= 0:
        return np.zeros(len(means), bool)
    side = cells_per_side(strength)
    cells, cell = np.unique(cell_of(means, side), return_inverse=True)
    group = groups_of(cells, side)[cell]
    sizes = np.bincount(group, minlength=len(cells))
    near = np.linalg.norm(means.astype(np.float64), axis=1) <= reach
    # A group that extends beyond the reach is background, whatever its size.
    beyond = np.zeros(len(cells), bool)
    beyond[group[~near]] = True
    small = sizes < SHARE_MAX * strength * strength * len(means)
    small[int(np.argmax(sizes))] = False
    return np.asarray(small[group] & ~beyond[group])


def groups_of(cells: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """(C,) for each cell the index of the first cell of its group. cells: (C,) sorted, each once."""
    x, y, z = cells % side, cells // side % side, cells // (side * side)
    edges = []
    for dx, dy, dz in _HALF_OF_NEIGHBOURS:
        inside = (x + dx >= 0) & (x + dx < side) & (y + dy >= 0) & (y + dy < side) & (z + dz < side)
        there = cells + dx + side * (dy + side * dz)
        found = np.searchsorted(cells, there).clip(max=len(cells) - 1)
        hit = np.flatnonzero(inside & (cells[found] == there))
        edges.append(np.stack([hit, found[hit]]))
    a, b = np.concatenate(edges, axis=1)
    group = np.arange(len(cells))
    while True:
        least = group.copy()
        np.minimum.at(least, group[a], group[b])
        np.minimum.at(least, group[b], group[a])
        while not np.array_equal(least, shorter := least[least]):
            least = shorter
        if np.array_equal(least, group):
            return group
        group = least


_HALF_OF_NEIGHBOURS = tuple(
    (dx, dy, dz) for dz in (0, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dz, dy, dx) > (0, 0, 0)
)
"""The other half is the same pairs the other way round."""


def cells_per_side(strength: float) -> int:
    return round(CELLS_MIN + (CELLS_MAX - CELLS_MIN) * min(1.0, strength))


def cell_of(means: Float32, side: int) -> NDArray[np.int64]:
    """(N,) the number of each point's cell, x fastest. means: (N, 3)."""
    points = means.astype(np.float64)
    radius = np.linalg.norm(points, axis=1, keepdims=True).clip(1e-12)
    points = np.where(radius <= 1.0, points, points * (2.0 - 1.0 / radius) / radius)
    index = np.clip(np.floor((points + EXTENT) * (side / (2 * EXTENT))).astype(np.int64), 0, side - 1)
    return np.asarray(index[:, 0] + side * (index[:, 1] + side * index[:, 2]))
