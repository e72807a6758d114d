"""Whether the parts of a model hold together: the points that two groups of its photos both see.
Pure: arrays in, names out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splat_worker.sfm.mapping.evidence import Evidence

BRIDGE_MIN = 12
"""Points that two groups of photos must share, as a single photo must with the others. The size and the place of one
group beside the other hang on them alone. Wrong models of two groups had 1 to 11, right ones 13 and more."""
GROUP_MIN = 2
"""Photos of a group. A single photo is judged by the points that it sees."""


def loose_group(evidence: Evidence, bridge_min: int) -> frozenset[str]:
    """File names of the smaller of the two groups that share fewest points, if these are fewer than `bridge_min`; none
    if the model holds together.

    The groups are what is left of the tree of strongest pairs (by points that both photos see) without one of its
    edges. Two groups share at least the points of the edge between them, so that only weak edges count.
    """
    count = len(evidence.names)
    sees = np.zeros((count, len(evidence.points)), np.float32)
    sees[evidence.of_photo, evidence.of_point] = 1.0
    common = sees @ sees.T
    tree = _strongest_tree(common)
    fewest, loose = bridge_min, np.zeros(count, bool)
    for edge in tree:
        if common[edge] >= fewest:
            continue
        group = _connected(count, [other for other in tree if other != edge])
        points = int((sees[group].any(0) & sees[~group].any(0)).sum())
        if GROUP_MIN <= group.sum() <= count - GROUP_MIN and points < fewest:
            fewest, loose = points, group if 2 * group.sum() <= count else ~group
    return frozenset(name for name, inside in zip(evidence.names, loose, strict=True) if inside)


def _strongest_tree(common: np.ndarray) -> list[tuple[int, int]]:
    """Edges of a maximum spanning tree (Prim). common: (C, C) symmetric."""
    inside = np.zeros(len(common), bool)
    inside[:1] = True
    edges = []
    for _ in range(len(common) - 1):
        strength = np.where(inside[:, None] & ~inside[None], common, -1.0)
        one, other = (int(row) for row in np.unravel_index(int(strength.argmax()), strength.shape))
        edges.append((one, other))
        inside[other] = True
    return edges


def _connected(count: int, edges: Sequence[tuple[int, int]]) -> np.ndarray:
    """(count,) bool: what these edges of a tree, in the order of its growth, connect with the first."""
    group = np.zeros(count, bool)
    group[:1] = True
    for one, other in edges:
        group[other] = group[one]
    return group
