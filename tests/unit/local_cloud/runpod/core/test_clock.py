"""The virtual clock: speed, jumps, and sleepers that follow both."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.runpod.core.clock import Clock, parse_rfc3339, rfc3339


class Hands:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


async def test_speed_and_jumps_move_virtual_time_only() -> None:
    hands = Hands()
    clock = Clock(wall=lambda: 1000.0, monotonic=hands)
    hands.now_s += 2
    assert clock.now() == 1002.0
    clock.set_speed(60)
    hands.now_s += 1
    assert clock.now() == 1062.0
    clock.advance(3600)
    assert clock.now() == 4662.0
    assert clock.wall_s() == 53.0


async def test_a_jump_wakes_a_sleeper_and_a_short_one_does_not() -> None:
    clock = Clock()
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.advance(3500)
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    clock.advance(100)
    await asyncio.wait_for(sleeper, 1)


async def test_a_faster_clock_shortens_a_sleep_under_way() -> None:
    clock = Clock()
    sleeper = asyncio.create_task(clock.sleep(600))
    await asyncio.sleep(0)
    clock.set_speed(100_000)
    await asyncio.wait_for(sleeper, 1)


@given(st.integers(-60_000_000_000, 250_000_000_000))
def test_times_read_back_as_written(unix_s: int) -> None:
    text = rfc3339(unix_s)
    assert len(text) == len("2026-06-01T12:00:00Z")
    assert parse_rfc3339(text) == unix_s


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_rfc3339("2026-06-01T12:00:00")
