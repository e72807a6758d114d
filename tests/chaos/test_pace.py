"""The suite's clock: the same as time on a quiet machine, slower by the share that a busy machine gives."""

from __future__ import annotations

import pytest

from tests.chaos import pace
from tests.chaos.pace import Pace, busy_share


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: at[0])
    monkeypatch.setattr(Pace, "_measure", lambda _: None)
    return at


def test_a_quiet_machine_has_the_time_of_the_clock(clock: list[float]) -> None:
    measured = Pace()
    begin = measured.now()
    clock[0] += 30
    assert measured.now() - begin == pytest.approx(30)
    assert measured.mean_share() == pytest.approx(1)


def test_a_busy_machine_has_less_time_and_never_none(clock: list[float]) -> None:
    measured = Pace()
    begin = measured.now()
    measured.set_share(0.25)
    clock[0] += 40
    assert measured.now() - begin == pytest.approx(10)
    measured.set_share(0.0)
    clock[0] += 40
    assert measured.now() - begin == pytest.approx(10 + 40 * pace.SHARE_MIN)
    assert measured.mean_share() == pytest.approx((10 + 40 * pace.SHARE_MIN) / 80)


def test_the_share_of_a_thread_with_work_is_measured() -> None:
    assert 0 < busy_share() <= 1.01
