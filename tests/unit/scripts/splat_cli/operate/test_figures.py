"""A snapshot's figures by hand-made jobs, and the screen that shows them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from scripts.splat_cli.edge_client import Job, Metrics, Project, Rate
from scripts.splat_cli.operate.figures import Snapshot, percentile, read_workers, snapshot, stage_times
from scripts.splat_cli.operate.screen import render

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
RATE = Rate(gpu="RTX 4090", usd_per_s=0.001, as_of="2026-11-29")
SPEND = {"today_usd": 1.5, "month_usd": 40.0, "reserved_usd": 1.0, "budget_usd": 50.0, "left_usd": 9.0}
METRICS: dict[str, Any] = {"success_rate": 0.5, "jobs_today": 3, "spend": SPEND, "runpod": None}
WORKERS = {
    "workers": [
        {"id": "w1", "status": "RUNNING", "gpuTypeId": "NVIDIA GeForce RTX 4090", "gpuCount": 2, "uptimeSeconds": 61},
        {"id": "w2", "status": "INITIALIZING", "gpuTypeId": None, "gpuCount": 1, "uptimeSeconds": None},
        {"id": "w3", "status": "THROTTLED", "gpuTypeId": None, "gpuCount": 1, "uptimeSeconds": None},
        {"id": "w4", "status": "UNHEALTHY", "gpuTypeId": None, "gpuCount": 1, "uptimeSeconds": None},
    ]
}


def job(state: str, submitted_min: float, **fields: Any) -> Job:
    """Submitted so many minutes ago; `started` and `ended` too."""
    times = {
        "started_at": NOW - timedelta(minutes=fields.pop("started")) if "started" in fields else None,
        "ended_at": NOW - timedelta(minutes=fields.pop("ended")) if "ended" in fields else None,
    }
    base = {"project_id": "p_1", "name": "Teapot", "attempt": 1, "preset": "preview", "photos": 24, "usd": 0.1}
    submitted = NOW - timedelta(minutes=submitted_min)
    return Job.model_validate({**base, "seconds": None, "state": state, "submitted_at": submitted, **times, **fields})


def stages(**seconds: float) -> list[dict[str, Any]]:
    return [{"stage": stage, "seconds": value} for stage, value in seconds.items()]


ERROR = {"code": "SFM_FAILED", "message": "The photos do not overlap.", "hint": "Take more photos.", "stage": "sfm"}
JOBS = [
    job("queued", 2, project_id="p_2", name="Queued"),
    job("queued", 5, project_id="p_3", name="Older"),
    job("running", 10, started=9, project_id="p_4", name="Kettle"),
    job("done", 40, started=39, ended=30, stages=stages(sfm=20, train=50)),
    job("failed", 90, started=89, ended=80, error=ERROR),
    job("cancelled", 120, ended=110),
    job("done", 60 * 30, started=1790, ended=60 * 29, stages=stages(sfm=40, train=70)),
]


def taken(**changes: Any) -> Snapshot:
    progress = {"stage": "train", "fraction": 0.5, "eta_s": 42.0}
    kettle = Project.model_validate({"id": "p_4", "name": "Kettle", "state": "running", "progress": progress})
    given = {"metrics": METRICS, "workers": read_workers(WORKERS, {"NVIDIA GeForce RTX 4090": "RTX 4090"}), **changes}
    metrics = Metrics.model_validate(given["metrics"])
    return snapshot(JOBS, {"p_4": kettle}, metrics, given["workers"], rate=RATE, now=NOW)


def test_queue_jobs_and_success_are_counted() -> None:
    shot = taken()
    assert shot.oldest_wait_s == 300
    assert (shot.ended_last_hour, shot.ended_last_day) == (1, 3)
    assert shot.success == 0.5  # a cancelled job is neither
    assert [(one.project_id, one.stage, one.fraction, one.left_s) for one in shot.running] == [
        ("p_2", "queued", 0.0, None),
        ("p_3", "queued", 0.0, None),
        ("p_4", "train", 0.5, 42.0),
    ]
    assert [(one.message, one.advice) for one in shot.failures] == [(ERROR["message"], ERROR["hint"])]


def test_only_workers_that_are_billed_cost_by_the_hour() -> None:
    assert taken().usd_per_h == pytest.approx(3 * 3.6)  # two cards running, one starting
    counted = {**METRICS, "runpod": {"jobs": {}, "workers": {"idle": 1, "ready": 1, "throttled": 2}}}
    shot = taken(workers=None, metrics=counted)
    assert (shot.usd_per_h, shot.counts["idle"], shot.counts["throttled"]) == (pytest.approx(3.6), 1, 2)


def test_stage_times_are_of_jobs_that_succeeded() -> None:
    failed = job("failed", 5, ended=1, stages=stages(sfm=999))
    found = {one.stage: (one.jobs, one.p50_s, one.p95_s) for one in stage_times([*JOBS, failed])}
    assert found == {"sfm": (2, 20, 40), "train": (2, 50, 70)}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([7], 50, 7), ([1, 2, 3, 4], 50, 2), ([4, 3, 2, 1], 95, 4), (list(range(1, 101)), 95, 95), ([1, 2], 1, 1)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def shown(shot: Snapshot, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(shot, width=width))
    return out.getvalue()


def test_the_screen_shows_everything_at_once() -> None:
    text = shown(taken())
    for words in (
        "Workers: 1 running, 1 initializing, 1 throttled, 1 unhealthy",
        "2 x RTX 4090",
        "Jobs: 2 waiting, oldest for 5 min, 1 running, 1 ended in an hour and 3 in a day, 50% of a day's jobs",
        "training Gaussians     50%  42 s   1 min  Kettle",
        "training Gaussians    2     50.0 s  1 min 10 s",
        "$10.80 an hour now, $1.50 today, $40.00 this month and $1.00 reserved, of a budget of $50.00 (82%)",
        "failed: The photos do not overlap.",
        "  Take more photos.",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stopped": {"at": "2026-11-30T11:00:00Z", "reason": "Maintenance."}}, "STOPPED: Maintenance."),
        ({"failed_starts": 3}, "3 starts of workers failed in a row"),
    ],
)
def test_a_stop_and_failed_starts_come_first(changes: dict[str, Any], words: str) -> None:
    assert shown(taken(metrics={**METRICS, **changes})).startswith(words)


def test_a_narrow_terminal_breaks_nothing_and_the_json_is_plain() -> None:
    assert "p_4" in shown(taken(), width=40)
    plain = taken().as_json()
    assert (plain["at"], plain["counts"]["running"], plain["workers"][0]["gpu"]) == (NOW.isoformat(), 1, "RTX 4090")
    assert plain["failures"][0]["at"] == "2026-11-30T10:40:00+00:00"
