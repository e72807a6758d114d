"""Which pairs are compared: few enough to be quick, enough to connect every photo."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splat_worker.contract.job_input import Matching
from splat_worker.sfm.matching.pairs import (
    CLIP_EXHAUSTIVE_MAX,
    EXHAUSTIVE_MAX,
    SHARED_MAX,
    Way,
    by_shared_overlap,
    choose,
    pairs_of,
)

HERE = (55.7, 13.19, 30.0)
LOCATED = (Way.SPATIAL, Way.SEQUENTIAL, Way.RETRIEVAL)
UNLOCATED = (Way.SEQUENTIAL, Way.RETRIEVAL)


def walk(n: int, step_deg: float = 0.0003) -> list[tuple[float, float, float] | None]:
    return [(HERE[0] + i * step_deg, HERE[1], HERE[2]) for i in range(n)]


def nothing_alike(n: int) -> np.ndarray:
    return np.zeros((n, n), np.int32)


@pytest.mark.parametrize(
    ("wanted", "positions", "expected"),
    [
        (Matching.AUTO, [None] * 20, (Way.EXHAUSTIVE,)),
        (Matching.AUTO, walk(20), (Way.EXHAUSTIVE,)),
        (Matching.AUTO, [None] * EXHAUSTIVE_MAX, (Way.EXHAUSTIVE,)),
        (Matching.AUTO, [None] * (EXHAUSTIVE_MAX + 1), UNLOCATED),
        (Matching.AUTO, walk(EXHAUSTIVE_MAX + 1), LOCATED),
        (Matching.AUTO, [HERE] * 200, UNLOCATED),
        (Matching.AUTO, [*walk(100), *[None] * 100], UNLOCATED),
        (Matching.SPATIAL, walk(20), (Way.SPATIAL,)),
        (Matching.SPATIAL, [None] * 20, (Way.EXHAUSTIVE,)),
        (Matching.EXHAUSTIVE, walk(500), (Way.EXHAUSTIVE,)),
        (Matching.SEQUENTIAL, [None] * 5, (Way.SEQUENTIAL,)),
    ],
)
def test_auto_depends_on_count_and_positions(wanted: Matching, positions: list, expected: tuple[Way, ...]) -> None:
    assert choose(wanted, positions) == expected


def test_frames_of_one_clip_are_compared_in_order_and_by_likeness() -> None:
    assert choose(Matching.AUTO, [None] * CLIP_EXHAUSTIVE_MAX, one_clip=True) == (Way.EXHAUSTIVE,)
    assert choose(Matching.AUTO, [None] * (CLIP_EXHAUSTIVE_MAX + 1), one_clip=True) == UNLOCATED
    assert choose(Matching.EXHAUSTIVE, [None] * 90, one_clip=True) == (Way.EXHAUSTIVE,)


@given(st.sampled_from([(Way.EXHAUSTIVE,), (Way.SEQUENTIAL,), (Way.SPATIAL,), LOCATED, UNLOCATED]), st.integers(2, 130))
def test_pairs_are_ordered_unique_and_connect_every_photo(ways: tuple[Way, ...], n: int) -> None:
    pairs = pairs_of(ways, walk(n), lambda: nothing_alike(n))
    assert list(pairs) == sorted(set(pairs))
    assert all(0 <= i < j < n for i, j in pairs)
    reached, grew = {0}, True
    while grew:
        more = {j for i, j in pairs if i in reached} | {i for i, j in pairs if j in reached}
        grew, reached = not more <= reached, reached | more
    assert reached == set(range(n))


def test_ways_are_joined() -> None:
    n = 150
    like = nothing_alike(n)
    like[3, 140] = like[140, 3] = 9
    joined = set(pairs_of(LOCATED, walk(n), lambda: like))
    assert (3, 140) in joined, "retrieval"
    assert {(i, i + 1) for i in range(n - 1)} <= joined, "order"
    assert {(i, i + 8) for i in range(n - 8)} <= joined, "position"
    assert len(joined) < n * 12, "fewer of each way than alone"


def test_photos_that_come_back_to_a_place_are_compared_although_neither_order_nor_position_says_so() -> None:
    n = 200
    like = nothing_alike(n)
    for i in range(50):
        like[i, i + 147] = like[i + 147, i] = 20 + i
    assert {(i, i + 147) for i in range(50)} <= set(pairs_of(UNLOCATED, [None] * n, lambda: like))


def test_photos_that_share_nothing_are_no_pair_of_retrieval() -> None:
    like = nothing_alike(6)
    like[0, 5] = like[5, 0] = 1
    assert pairs_of((Way.RETRIEVAL,), [None] * 6, lambda: like) == ((0, 5),)


def test_likeness_is_not_asked_for_where_no_way_needs_it() -> None:
    def never() -> np.ndarray:
        raise AssertionError

    assert len(pairs_of((Way.EXHAUSTIVE,), [None] * 24, never)) == 24 * 23 // 2


@pytest.mark.parametrize(
    ("ways", "most"), [((Way.SPATIAL,), 8_000), ((Way.SEQUENTIAL,), 9_000), (LOCATED, 19_000), (UNLOCATED, 11_000)]
)
def test_a_large_set_is_not_compared_in_full(ways: tuple[Way, ...], most: int) -> None:
    alike = np.random.default_rng(0).integers(0, 100, (500, 500), dtype=np.int32)
    assert len(pairs_of(ways, walk(500), lambda: alike + alike.T)) < most


def test_a_photo_without_a_position_is_compared_with_all_others() -> None:
    positions = [*walk(99), None]
    assert sum(99 in pair for pair in pairs_of((Way.SPATIAL,), positions)) == 99


def test_photos_that_overlap_a_third_are_compared_next() -> None:
    compared = ((0, 1), (1, 2), (3, 4))
    assert by_shared_overlap([(0, 1), (1, 2)], compared, 5) == ((0, 2),)
    assert by_shared_overlap([(0, 1), (1, 2)], (*compared, (0, 2)), 5) == ()


def test_where_all_photos_overlap_one_the_next_round_is_bounded() -> None:
    n = 200
    star = [(0, j) for j in range(1, n)]
    assert len(by_shared_overlap(star, tuple(star), n)) <= SHARED_MAX * n


def test_a_street_is_found_from_its_corners_within_two_rounds() -> None:
    """Photos that see the same front from both ends of it: neither near in order nor alike."""
    n, reach = 60, 8
    true = {(i, j) for i in range(n) for j in range(i + 1, n) if j - i <= reach}
    compared: tuple[tuple[int, int], ...] = tuple(sorted((i, j) for i, j in true if j - i <= 2))
    for _ in range(2):
        compared += by_shared_overlap([pair for pair in compared if pair in true], compared, n)
    assert true <= set(compared)
