"""Groups of photos that hang together by a few points."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.sfm.mapping.bridges import BRIDGE_MIN, loose_group
from splat_worker.sfm.mapping.evidence import Evidence


def evidence_of(groups: list[list[int]], bridges: dict[tuple[int, int], int]) -> Evidence:
    """Photos of a group see 50 points together; photos of two groups share the points given for the pair."""
    seen = [
        [(photo, 50 * number + point) for photo in group for point in range(50)] for number, group in enumerate(groups)
    ]
    at, rows = 50 * len(groups), [row for part in seen for row in part]
    for pair, count in bridges.items():
        rows += [(photo, at + point) for photo in pair for point in range(count)]
        at += count
    of_photo, of_point = np.array(rows).T
    count = sum(map(len, groups))
    flat = np.ones(count)
    return Evidence(
        names=tuple("abcdefghij"[:count]), poses=np.zeros((count, 3, 4)), sides_px=flat, focals_px=flat, k1s=flat,
        corners=flat, points=np.zeros((at, 3)), of_photo=of_photo, of_point=of_point, depths=np.ones(len(rows)),
        errors_px=np.ones(len(rows)), pairs=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "bridges", "loose"),
    [
        pytest.param([[0, 1, 2, 3, 4]], {}, "", id="one group"),
        pytest.param([[0, 1, 2], [3, 4]], {(2, 3): 11}, "de", id="two groups and too few points"),
        pytest.param([[0, 1], [2, 3, 4]], {(1, 2): 11}, "ab", id="the smaller group is loose"),
        pytest.param([[0, 1, 2], [3, 4]], {(2, 3): 12}, "", id="two groups and enough points"),
        pytest.param([[0, 1, 2], [3, 4]], {(2, 3): 8, (1, 4): 8}, "", id="enough points over two pairs"),
        pytest.param([[0, 1, 2, 3], [4]], {(3, 4): 5}, "", id="a single photo is judged by its own points"),
        pytest.param([[0, 1, 2], [3, 4, 5], [6, 7]], {(2, 3): 10, (5, 6): 4}, "gh", id="the loosest of three first"),
    ],
)
def test_a_group_that_shares_too_few_points_is_loose(
    groups: list[list[int]], bridges: dict[tuple[int, int], int], loose: str
) -> None:
    assert loose_group(evidence_of(groups, bridges), BRIDGE_MIN) == set(loose)


def test_learned_models_need_a_stronger_bridge() -> None:
    two = evidence_of([[0, 1, 2], [3, 4]], {(2, 3): 20})
    assert loose_group(two, 12) == frozenset()
    assert loose_group(two, 30) == {"d", "e"}
