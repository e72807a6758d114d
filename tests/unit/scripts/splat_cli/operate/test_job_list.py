"""Rows, filters and details of attempts, from jobs as the API returns them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts.splat_cli.edge_client import Job, Project
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.job_list import (
    Filter,
    detail_rows,
    jobs_table,
    ran_s,
    read_age,
    read_states,
    select,
    waited_s,
)

CONTRACTS = Path(__file__).parents[5] / "docs/contracts"
PROJECT: dict[str, Any] = json.loads((CONTRACTS / "project.json").read_text())
REPORT: dict[str, Any] = json.loads((CONTRACTS / "job-report.json").read_text())
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def job(minutes_ago: float = 10, **fields: Any) -> Job:
    """A queued attempt, submitted so long ago."""
    submitted = NOW - timedelta(minutes=minutes_ago)
    base = {
        "project_id": "p_1",
        "name": "Teapot",
        "attempt": 1,
        "preset": "preview",
        "photos": 24,
        "state": "queued",
        "submitted_at": submitted,
        "started_at": None,
        "ended_at": None,
        "usd": 0.03,
        "seconds": None,
    }
    return Job.model_validate({**base, **fields})


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("fields", "waited", "ran"),
    [
        ({}, 600, None),
        ({"state": "running", "started_at": ago(9)}, 60, 540),
        ({"state": "done", "started_at": ago(9), "ended_at": ago(5), "seconds": 200}, 60, 200),
        ({"state": "failed", "started_at": ago(9), "ended_at": ago(5)}, 60, 240),
        ({"state": "failed", "ended_at": ago(5)}, None, None),  # an earlier attempt, or one that no worker took
    ],
)
def test_waiting_and_running_are_counted_apart(fields: dict[str, Any], waited: float | None, ran: float | None) -> None:
    one = job(**fields)
    assert (waited_s(one, NOW), ran_s(one, NOW)) == (waited, ran)


@pytest.mark.parametrize(
    ("wanted", "limit", "kept"),
    [
        (Filter(), None, [1, 2, 3, 4]),
        (Filter(), 2, [1, 2]),
        (Filter(states=frozenset({"done"})), None, [2, 4]),
        (Filter(states=frozenset({"done"})), 1, [2]),
        (Filter(presets=frozenset({"high"})), None, [3]),
        (Filter(since=ago(25)), None, [1, 2]),
    ],
)
def test_jobs_are_filtered_and_limited(wanted: Filter, limit: int | None, kept: list[int]) -> None:
    given = [
        job(10, attempt=1),
        job(20, attempt=2, state="done"),
        job(30, attempt=3, preset="high"),
        job(40, attempt=4, state="done"),
    ]
    assert [one.attempt for one in select(iter(given), wanted, limit=limit)] == kept


def test_no_more_jobs_are_read_than_needed() -> None:
    left = iter([job(10), job(20), job(30)])
    list(select(left, Filter(), limit=1))
    assert len(list(left)) == 1  # one more is read to see that the limit is reached


@pytest.mark.parametrize("text", ["", "7", "h", "-1h", "1.5h", "7w"])
def test_a_wrong_duration_is_rejected(text: str) -> None:
    with pytest.raises(CommandError, match="is not a duration"):
        read_age(text)


def test_durations_and_states_are_read() -> None:
    assert [read_age(one) for one in ("90m", "24h", "7d")] == [
        timedelta(minutes=90),
        timedelta(days=1),
        timedelta(days=7),
    ]
    assert read_states(["done", "failed"]) == {"done", "failed"}
    with pytest.raises(CommandError, match="no state 'finished'"):
        read_states(["finished"])


def text_of(table: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(table)
    return out.getvalue()


def test_the_table_marks_what_is_not_final() -> None:
    running = job(state="running", started_at=ago(9))
    deleted = job(
        project_id="p_2", attempt=2, name=None, state="done", started_at=None, ended_at=ago(5), usd=0.0242, seconds=78
    )
    lines = [line.split() for line in text_of(jobs_table([running, deleted], NOW, width=120)).splitlines()]
    assert lines[0] == ["id", "state", "submitted", "preset", "photos", "waited", "ran", "price", "name"]
    assert lines[1] == [
        *("p_1", "running", "11-30", "11:50", "preview", "24"),
        *("1", "min", "9", "min", "~$0.0300", "Teapot"),
    ]
    assert lines[2] == [
        *("p_2", "#2", "done", "11-30", "11:50", "preview", "24"),
        *("1", "min", "18", "s", "$0.0242", "(deleted)"),
    ]


def test_the_details_of_a_finished_job_name_each_photo_that_was_left_out() -> None:
    rejected = [{"name": "0003.jpg", "code": "BLURRED", "reason": "The photo is blurred."}]
    report = {**REPORT, "photos": {**REPORT["photos"], "rejected": rejected}}
    project = Project.model_validate({**PROJECT, "state": "done", "error": None, "report": report})
    done = job(state="done", started_at=ago(9), ended_at=ago(5), seconds=200)
    rows = detail_rows(project, [done], {"0003.jpg": "IMG_77.jpg"}, NOW)
    assert ("  left out", "IMG_77.jpg: The photo is blurred. [BLURRED]") in rows
    assert dict(rows)["Attempt 1"] == (
        "done, preview, submitted 2026-11-30 11:50 UTC, waited 1 min, ran 3 min 20 s, $0.0300"
    )


def test_the_details_of_a_failed_job_have_its_reason_and_advice() -> None:
    error = {"code": "SFM_FAILED", "message": "0001.jpg does not fit.", "hint": "Take more photos.", "stage": "sfm"}
    project = Project.model_validate({**PROJECT, "state": "failed", "error": error, "report": None, "progress": None})
    rows = dict(detail_rows(project, [job(state="failed", ended_at=ago(5))], {"0001.jpg": "a.jpg"}, NOW))
    assert rows["Error"] == "a.jpg does not fit. [SFM_FAILED while finding camera poses]"
    assert rows["  advice"] == "Take more photos."


def test_the_details_of_a_running_job_have_its_stage_and_its_rest() -> None:
    progress = {"stage": "train", "fraction": 0.5, "message": "", "eta_s": 61}
    project = Project.model_validate({**PROJECT, "state": "running", "error": None, "progress": progress})
    rows = dict(detail_rows(project, [job(state="running", started_at=ago(1))], {}, NOW))
    assert rows["Stage"] == "training Gaussians, 50%, 1 min 1 s left"
    assert rows["Attempt 1"].endswith("$0.0300 reserved")
