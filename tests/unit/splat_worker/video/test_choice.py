"""Which frames are chosen, on made places. Silent failures: bunched frames, a blurred frame, a still part that fills
the photo limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from splat_worker.limits import VIDEO_FRAMES_MAX, VIDEO_FRAMES_MIN
from splat_worker.video.choice import GAP_LEAST, STEP, Dropped, Place, choose, frames_wanted


def places(ways: list[float], *, detail: list[float] | None = None, seconds: float = 0.2) -> list[Place]:
    details = detail or [1.0] * len(ways)
    return [
        Place(way=way, begin_s=i * seconds, end_s=(i + 1) * seconds, time_s=i * seconds, detail=details[i])
        for i, way in enumerate(ways)
    ]


def test_a_steady_walk_gives_a_frame_each_step() -> None:
    walk = places(list(np.arange(0, 3.0, 0.01)))
    choice = choose(walk, 200)
    gaps = np.diff([walk[i].way for i in choice.chosen])
    assert len(choice.chosen) == pytest.approx(3.0 / STEP, abs=2)
    assert gaps.min() > GAP_LEAST * STEP
    assert gaps.max() < 1.6 * STEP
    assert choice.gaps == ()


def test_a_fast_part_gives_as_many_frames_as_a_slow_part_of_the_same_way() -> None:
    slow, fast = np.linspace(0, 1.5, 300, endpoint=False), np.linspace(1.5, 3.0, 60)
    walk = places([*slow, *fast])
    chosen = choose(walk, 200).chosen
    assert sum(i < 300 for i in chosen) == pytest.approx(len(chosen) / 2, abs=1)


def test_the_sharpest_place_of_a_step_is_chosen() -> None:
    ways = list(np.arange(0, 2.0, 0.01))
    sharp = set(range(2, len(ways), 5))
    walk = places(ways, detail=[1.0 if i in sharp else 0.6 for i in range(len(ways))])
    assert set(choose(walk, 200).chosen) <= sharp


def test_blurred_places_are_left_out_and_named() -> None:
    ways = list(np.arange(0, 2.0, 0.01))
    walk = places(ways, detail=[0.1 if 80 <= i < 120 else 1.0 for i in range(len(ways))])
    choice = choose(walk, 200)
    assert not any(80 <= i < 120 for i in choice.chosen)
    assert [(gap.code, round(gap.begin_s), round(gap.end_s)) for gap in choice.gaps] == [(Dropped.BLURRED, 16, 24)]


def test_a_still_part_gives_one_frame_and_is_named() -> None:
    walk = places(list(np.arange(0, 1.0, 0.01)))
    still = Place(way=1.0, begin_s=20.0, end_s=50.0, time_s=33.0, detail=1.0)
    choice = choose([*walk, still], 200)
    assert choice.chosen.count(100) <= 1
    assert [(gap.code, gap.begin_s, gap.end_s) for gap in choice.gaps] == [(Dropped.STILL, 20.0, 50.0)]


@given(
    st.lists(st.tuples(st.floats(0, 0.1), st.floats(0.0, 2.0)), min_size=1, max_size=200),
    st.integers(1, 60),
)
def test_any_walk_stays_within_the_limit_in_order_and_apart(walk: list[tuple[float, float]], limit: int) -> None:
    made = places(list(np.cumsum([step for step, _ in walk])), detail=[detail for _, detail in walk])
    chosen = choose(made, limit).chosen
    assert len(chosen) <= limit
    assert list(chosen) == sorted(set(chosen))


def test_a_clip_without_motion_gives_one_frame() -> None:
    assert len(choose(places([0.0] * 5), 100).chosen) == 1
    assert choose([], 100).chosen == ()


def test_the_number_of_frames_follows_the_length_within_bounds() -> None:
    assert frames_wanted(2) == VIDEO_FRAMES_MIN
    assert frames_wanted(60) == 120
    assert frames_wanted(600) == VIDEO_FRAMES_MAX
