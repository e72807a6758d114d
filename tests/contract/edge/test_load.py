"""A small run of bench.load: many at once, jobs on real workers, stored projects. bench/load.json has the full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load.__main__ import PART_NAMES, Plan, failures, measure, two_services

SMALL = Plan(
    **{"uploads": 8, "photos": 5, "photo_bytes": 2000, "at_once": 8, "jobs": 8, "workers": 2},
    **{"few": 8, "projects": 60, "counted": 16, "rounds": 1, "clients": (1, 5), "saturation_s": 0.2, "idle_s": 0.0},
)


@pytest.mark.local_cloud
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_load_has_no_error_and_loses_no_job(tmp_path: Path) -> None:
    with two_services(tmp_path, SMALL) as services:
        found, errors = measure(*services, SMALL, PART_NAMES)
    assert errors == []
    assert set(found) == set(PART_NAMES)
    assert 0 < found["jobs"]["memory_mb"][-1]["Worker"] < 64
    assert found["jobs"]["ended"] == {"done": 8, "failed": 0, "cancelled": 0}
    assert found["growth"]["projects"] == [8, 60]
    calls = found["growth"]["many"]
    assert {kind for kind, times in calls.items() if times["p99_ms"] >= times["p50_ms"] > 0} == set(calls)


def memory(worker: float, stand_in: int) -> dict[str, float]:
    return {"Worker": worker, "RunPod stand-in": stand_in, "workerd": 900, "front": 200}


def test_what_a_load_must_not_show_is_found() -> None:
    flat = [memory(4, 50), memory(5, 60), memory(20, 61), memory(30, 62)]
    good = {
        "growth": {"ratio": 1.1},
        "uploads": {"memory_mb": flat},
        "jobs": {"memory_mb": flat, "count": 3, "ended": {"done": 3, "failed": 0, "cancelled": 0}},
    }
    assert failures(good) == []
    assert failures({"growth": good["growth"]}) == []
    assert "1.3 times as much" in failures(good | {"growth": {"ratio": 1.3}})[0]
    for grown, words in ((memory(40, 62), "Worker grew from 5 to 40"), (memory(5, 72), "stand-in grew from 60 to 72")):
        assert words in failures(good | {"uploads": {"memory_mb": [*flat[:-1], grown]}})[0]
    lost = {**good["jobs"], "ended": {"done": 2, "failed": 0, "cancelled": 0}}
    assert "jobs ended as" in failures(good | {"jobs": lost})[0]
