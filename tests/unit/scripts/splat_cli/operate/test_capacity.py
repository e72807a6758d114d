"""The replay on loads whose outcome can be computed by hand."""

from __future__ import annotations

import pytest

from infra.settings.presets import ScalingPreset
from scripts.splat_cli.operate.capacity import Load, Outcome, arrivals, replay


def outcome(times: list[float], *, low: int = 0, high: int = 2, idle_s: int = 15, hours: float = 0.5) -> Outcome:
    """Jobs of 100 s, workers that start in 20 s."""
    scaling = ScalingPreset(workers_min=low, workers_max=high, idle_timeout_s=idle_s)
    return replay(Load(jobs_per_h=1, job_s=100, start_s=20), scaling, times, hours=hours)


def test_a_lonely_job_waits_for_its_worker_which_ends_after_its_idle_time() -> None:
    found = outcome([100.0])
    assert (found.jobs, found.wait_p50_s, found.workers_most, found.unserved) == (1, 20, 1, 0)
    assert found.billed_s == pytest.approx(20 + 100 + 15, abs=2)
    assert found.busy == pytest.approx(100 / 135, abs=0.02)


def test_a_job_within_the_idle_time_finds_a_warm_worker() -> None:
    found = outcome([100.0, 230.0])  # the first ends at 220
    assert (found.wait_p95_s, found.workers_most) == (20, 1)
    assert found.billed_s == pytest.approx(20 + 100 + 10 + 100 + 15, abs=2)


def test_a_job_after_the_idle_time_waits_again() -> None:
    assert outcome([100.0, 260.0]).wait_p50_s == 20


def test_another_worker_starts_after_the_queue_delay_and_never_above_the_maximum() -> None:
    # The second waits 5 s (over 4) and then for a start; the third waits until the first worker is free at 220.
    found = outcome([100.0, 100.0, 100.0])
    assert found.workers_most == 2
    assert found.wait_p95_s == pytest.approx(120, abs=2)
    assert found.jobs == 3


def test_workers_that_are_always_on_are_billed_all_the_time() -> None:
    found = outcome([100.0], low=1, high=1)
    assert found.wait_p95_s == 0
    assert found.billed_s == pytest.approx(1800, abs=2)
    assert found.usd_per_h(0.001) == pytest.approx(3.6, abs=0.01)
    assert found.usd_per_job(0.001) == pytest.approx(1.8, abs=0.01)


def test_a_load_above_the_capacity_leaves_jobs_waiting() -> None:
    found = outcome([float(second) for second in range(0, 1800, 10)], high=2)
    assert found.busy > 0.95
    # Two workers of 100 s each serve 36 jobs in half an hour, less their start.
    assert 33 <= found.jobs <= 36
    assert found.unserved == 180 - found.jobs


def test_arrivals_have_the_wanted_mean_and_repeat() -> None:
    times = arrivals(20, 100)
    assert len(times) == pytest.approx(2000, rel=0.1)
    assert times == sorted(times) == arrivals(20, 100)
    assert arrivals(20, 100, seed=2) != times
