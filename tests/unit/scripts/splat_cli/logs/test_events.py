"""Events as lines: what is kept of a worker's entry and of the app's books, the order, and what is masked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from infra.runpod.client import LogEntry
from scripts.splat_cli.edge_client import Failure, Job, Progress, Project
from scripts.splat_cli.logs.events import (
    LogEvent,
    Masker,
    json_of,
    merged,
    moment,
    of_job,
    of_progress,
    of_worker,
    text_of,
)

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KEY = "Zm9vYmFyYmF6cXV1eA=="


def event(minutes: float, line: str = "x") -> LogEvent:
    return LogEvent(at=NOON + timedelta(minutes=minutes), source="container", who="w1", line=line)


def job(**changes: object) -> Job:
    whole = {
        "project_id": "p_1",
        "name": "Teapot",
        "attempt": 1,
        "preset": "preview",
        "photos": 24,
        "state": "done",
        "submitted_at": NOON,
        "started_at": NOON + timedelta(seconds=6),
        "ended_at": NOON + timedelta(seconds=96),
        "usd": 0.0279,
        "seconds": 90.0,
    }
    return Job.model_validate(whole | changes)


def test_a_json_line_of_the_sdk_is_shown_as_level_and_message() -> None:
    line = json.dumps({"requestId": "j-u1", "message": "Started.", "level": "INFO"})
    entry = LogEntry(ts="2026-11-30T12:00:00.123456789Z", source="container", line=line)
    found = of_worker("w1", entry)
    assert (found.line, found.at) == ("INFO Started.", NOON + timedelta(microseconds=123456))
    for plain in ("{broken", '{"a": 1}', "plain"):
        assert of_worker("w1", LogEntry(ts="", source="system", line=plain)).line == plain


def test_an_attempt_has_a_line_when_submitted_started_and_ended() -> None:
    assert [one.line for one in of_job(job())] == [
        "Teapot, attempt 1: submitted, 24 photos, preset preview",
        "Teapot, attempt 1: started",
        "Teapot, attempt 1: done after 1 min 30 s, $0.0279",
    ]
    failed = job(state="failed", seconds=None, error=Failure(code="SFM_FAILED", message="No overlap.").model_dump())
    assert [one.line for one in of_job(failed)][-1].endswith("failed, $0.0279: SFM_FAILED No overlap.")
    assert len(list(of_job(job(started_at=None, ended_at=None, name=None, state="queued")))) == 1


def test_progress_is_a_line_at_its_own_time() -> None:
    progress = Progress(stage="train", fraction=0.42, message="Step 420", at="2026-11-30T12:00:40Z")
    project = Project(id="p_1", name="Teapot", state="running", attempt=1, progress=progress)
    [found] = of_progress(project)
    assert (found.at, found.line) == (
        NOON + timedelta(seconds=40),
        "Teapot, attempt 1: training Gaussians 42%, Step 420",
    )
    assert list(of_progress(Project(id="p_1", name="Teapot", state="done"))) == []


def test_events_are_merged_by_time_within_the_span() -> None:
    events = [event(5), event(1, "a"), event(1, "b"), event(-1), event(9)]
    found = merged(events, since=NOON, until=NOON + timedelta(minutes=6))
    assert [(one.at, one.line) for one in found] == [(event(1).at, "a"), (event(1).at, "b"), (event(5).at, "x")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-30T12:00:00Z", NOON),
        ("2026-11-30T13:00:00+01:00", NOON),
        ("2026-11-30T12:00:00", NOON),
        ("yesterday", datetime.fromtimestamp(0, UTC)),
    ],
)
def test_times_are_read_in_every_form_that_services_send(text: str, found: datetime) -> None:
    assert moment(text) == found


@pytest.mark.parametrize(
    "line",
    [
        f"hook key {KEY}",
        "Authorization: Bearer abcdefgh12345678.x",
        "key rpa_ABCDEFGH12345678 was used",
        "token splat_Zm9vYmFyYmF6 was used",
        "secret whsec_Zm9vYmFyYmF6cXV1eA==",
        "PUT https://b.example/x?X-Amz-Credential=AKIA/2026/auto&X-Amz-Signature=0a1b2c3d",
        "POST https://app.example/api/hooks/runpod/AbCd-1234.efgh",
        "POST https://app.example/api/hooks/progress/AbCd-1234.efgh",
        "https://app.example/login/wWkQBaNt_pLhO6ibKREFEkOZ6OyQSyp",
        "docker login --password=hunter22",
    ],
)
def test_secrets_are_masked_in_text_and_json(line: str) -> None:
    mask = Masker([KEY, "short"])
    hidden = (
        KEY,
        "abcdefgh12345678",
        "ABCDEFGH12345678",
        "Zm9vYmFyYmF6",
        "0a1b2c3d",
        "AbCd-1234",
        "wWkQBa",
        "hunter22",
    )
    for shown in (text_of(event(0, line), mask), json_of(event(0, line), mask)):
        assert "***" in shown
        assert not [one for one in hidden if one in shown]


def test_ordinary_lines_are_not_masked() -> None:
    mask = Masker(["a", ""])
    line = "a step 420 of 1000, sha256:0a1b2c3d4e5f, https://app.example/p/p_7f3kq2m9x4"
    assert text_of(event(0, line), mask).endswith(line)
