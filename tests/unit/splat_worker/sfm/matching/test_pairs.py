"""Which pairs are compared: few enough to be quick, enough to connect every photo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splat_worker.contract.job_input import Matching
from splat_worker.sfm.matching.pairs import EXHAUSTIVE_MAX, choose, pairs_of

HERE = (55.7, 13.19, 30.0)


def walk(n: int, step_deg: float = 0.0003) -> list[tuple[float, float, float] | None]:
    return [(HERE[0] + i * step_deg, HERE[1], HERE[2]) for i in range(n)]


@pytest.mark.parametrize(
    ("wanted", "positions", "expected"),
    [
        (Matching.AUTO, [None] * 20, Matching.EXHAUSTIVE),
        (Matching.AUTO, walk(20), Matching.EXHAUSTIVE),
        (Matching.AUTO, [None] * (EXHAUSTIVE_MAX + 1), Matching.SEQUENTIAL),
        (Matching.AUTO, walk(EXHAUSTIVE_MAX + 1), Matching.SPATIAL),
        (Matching.AUTO, [HERE] * 200, Matching.SEQUENTIAL),
        (Matching.AUTO, [*walk(100), *[None] * 100], Matching.SEQUENTIAL),
        (Matching.SPATIAL, walk(20), Matching.SPATIAL),
        (Matching.SPATIAL, [None] * 20, Matching.EXHAUSTIVE),
        (Matching.EXHAUSTIVE, walk(500), Matching.EXHAUSTIVE),
        (Matching.SEQUENTIAL, [None] * 5, Matching.SEQUENTIAL),
    ],
)
def test_auto_depends_on_count_and_positions(wanted: Matching, positions: list, expected: Matching) -> None:
    assert choose(wanted, positions) is expected


@given(st.sampled_from([Matching.EXHAUSTIVE, Matching.SEQUENTIAL, Matching.SPATIAL]), st.integers(2, 130))
def test_pairs_are_ordered_unique_and_connect_every_photo(matching: Matching, n: int) -> None:
    pairs = pairs_of(matching, walk(n))
    assert len(set(pairs)) == len(pairs)
    assert all(0 <= i < j < n for i, j in pairs)
    reached, grew = {0}, True
    while grew:
        more = {j for i, j in pairs if i in reached} | {i for i, j in pairs if j in reached}
        grew, reached = not more <= reached, reached | more
    assert reached == set(range(n))


def test_all_pairs_of_a_small_set_are_compared() -> None:
    assert len(pairs_of(Matching.EXHAUSTIVE, [None] * 24)) == 24 * 23 // 2


@pytest.mark.parametrize(("matching", "most"), [(Matching.SPATIAL, 8_000), (Matching.SEQUENTIAL, 9_000)])
def test_a_large_set_is_not_compared_in_full(matching: Matching, most: int) -> None:
    assert len(pairs_of(matching, walk(500))) < most


def test_a_photo_without_a_position_is_compared_with_all_others() -> None:
    positions = [*walk(99), None]
    assert sum(99 in pair for pair in pairs_of(Matching.SPATIAL, positions)) == 99
