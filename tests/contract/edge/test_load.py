"""A small run of bench.load: many at once, jobs on real workers, stored projects. bench/load.json has the full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.load.__main__ import Plan, failures, measure, two_services

SMALL = Plan(
    **{"uploads": 8, "photos": 5, "photo_bytes": 2000, "at_once": 8, "jobs": 8, "workers": 2},
    **{"few": 8, "projects": 60, "counted": 16, "rounds": 1, "clients": (1, 5), "saturation_s": 0.2, "idle_s": 0.0},
)


@pytest.mark.local_cloud
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_load_has_no_error_and_loses_no_job(tmp_path: Path) -> None:
    with two_services(tmp_path, SMALL) as services:
        found = measure(*services, SMALL)
    assert found["errors"] == []
    assert found["jobs"]["ended"] == {"done": 8, "failed": 0, "cancelled": 0}
    assert found["growth"]["projects"] == [8, 60]
    calls = found["growth"]["many"]
    assert {kind for kind, times in calls.items() if times["p99_ms"] >= times["p50_ms"] > 0} == set(calls)


def test_what_a_load_must_not_show_is_found() -> None:
    good = {
        "errors": [],
        "growth": {"ratio": 1.1},
        "uploads": {"memory_ratio": {"edge": 1.1}},
        "jobs": {"memory_ratio": {"edge": 1.0}, "count": 3, "ended": {"done": 3, "failed": 0, "cancelled": 0}},
    }
    assert failures(good) == []
    assert failures(good | {"errors": ["create: 500"]}) == ["create: 500"]
    assert "1.3 times as much" in failures(good | {"growth": {"ratio": 1.3}})[0]
    assert "edge grew 1.4 times" in failures(good | {"uploads": {"memory_ratio": {"edge": 1.4}}})[0]
    lost = {**good["jobs"], "ended": {"done": 2, "failed": 0, "cancelled": 0}}
    assert "jobs ended as" in failures(good | {"jobs": lost})[0]
