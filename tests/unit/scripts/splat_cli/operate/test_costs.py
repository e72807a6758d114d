"""A bill beside reports: every dollar is on one line, and the lines add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.splat_cli.edge_client import Job
from scripts.splat_cli.operate.costs import Bill, Cost, read_bills, reconcile

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
DAY = datetime(2026, 11, 30, tzinfo=UTC)
RATE = 0.001


def job(state: str, *, usd: float, waited_s: float | None = 10, ended: datetime = NOW, **stages: float) -> Job:
    submitted = ended - timedelta(seconds=500)
    return Job.model_validate(
        {
            **{"project_id": "p_1", "name": "Teapot", "attempt": 1, "preset": "preview", "photos": 24, "state": state},
            "submitted_at": submitted,
            "started_at": None if waited_s is None else submitted + timedelta(seconds=waited_s),
            "ended_at": ended,
            "usd": usd,
            "seconds": sum(stages.values()) or None,
            "stages": [{"stage": name, "seconds": value} for name, value in stages.items()],
        }
    )


def lines(cost: Cost) -> dict[str, float]:
    return {one.name: round(one.usd, 6) for one in cost.lines}


JOBS = [job("done", usd=0.1, sfm=25, train=75), job("failed", usd=0.02), job("cancelled", usd=0.01, waited_s=None)]


@pytest.mark.parametrize(
    ("bills", "expected"),
    [
        # 0.07 more than reported: 20 s of waiting for a worker, the rest is idle.
        (
            [Bill(start=DAY, gpu_usd=0.2, disk_usd=0.005)],
            {"workers starting": 0.02, "idle and other": 0.05, "disk": 0.005},
        ),
        # Less is left than the jobs waited: no more than that can have been a start.
        ([Bill(start=DAY, gpu_usd=0.135, disk_usd=0)], {"workers starting": 0.005, "idle and other": 0, "disk": 0}),
        ([], {"workers starting": 0, "idle and other": 0, "disk": 0}),
        (
            [Bill(start=DAY, gpu_usd=0.1, disk_usd=0, other_usd=0.1)],
            {"workers starting": 0.02, "idle and other": 0.05, "disk": 0},
        ),
    ],
)
def test_what_no_job_reports_is_a_line_of_its_own(bills: list[Bill], expected: dict[str, float]) -> None:
    cost = reconcile(bills, JOBS, usd_per_s=RATE, monthly=False, now=NOW)
    stages = {"sfm": 0.025, "train": 0.075, "failed jobs": 0.02, "cancelled jobs": 0.01}
    assert lines(cost) == {**stages, **expected}
    assert sum(one.usd for one in cost.lines) == pytest.approx(max(cost.billed_usd, cost.reported_usd))


def test_starts_that_failed_are_on_the_line_of_starts() -> None:
    never_ran = job("failed", usd=0, waited_s=None)
    cost = reconcile([Bill(start=DAY, gpu_usd=0.04, disk_usd=0)], [never_ran], usd_per_s=RATE, monthly=False, now=NOW)
    assert (lines(cost)["workers starting"], lines(cost)["idle and other"]) == (0.04, 0)


def test_a_bill_that_is_behind_is_named() -> None:
    cost = reconcile([Bill(start=DAY, gpu_usd=0.03, disk_usd=0)], JOBS, usd_per_s=RATE, monthly=False, now=NOW)
    assert cost.behind_usd == pytest.approx(0.1)
    assert cost.as_json()["behind_usd"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("monthly", "periods"),
    [
        (False, [("2026-10-31", 0.3, 0, 0), ("2026-11-29", 0, 1, 0.1), ("2026-11-30", 0.2, 1, 0.1)]),
        (True, [("2026-10-01", 0.3, 0, 0), ("2026-11-01", 0.2, 2, 0.2)]),
    ],
)
def test_days_and_months_hold_what_was_billed_and_what_ended_in_them(monthly: bool, periods: list[Any]) -> None:
    bills = [
        Bill(start=datetime(2026, 10, 31, tzinfo=UTC), gpu_usd=0.3, disk_usd=0),
        Bill(start=DAY, gpu_usd=0.2, disk_usd=0),
    ]
    jobs = [job("done", usd=0.1), job("done", usd=0.1, ended=NOW - timedelta(days=1))]
    found = reconcile(bills, jobs, usd_per_s=RATE, monthly=monthly, now=NOW).periods
    assert [(f"{one.start:%Y-%m-%d}", one.billed_usd, one.jobs, one.reported_usd) for one in found] == periods


def test_records_are_read_in_the_order_of_time() -> None:
    records: list[dict[str, Any]] = [
        {"startTime": "2026-11-30T00:00:00Z", "gpuAmount": 0.2, "diskAmount": 0.01, "feeAmount": 0.03},
        {"startTime": "2026-11-29T00:00:00Z", "gpuAmount": 0.1, "cpuAmount": None},
    ]
    bills = read_bills(records)
    assert [(one.start.day, one.gpu_usd, one.other_usd) for one in bills] == [(29, 0.1, 0), (30, 0.2, 0.03)]
    assert bills[1].usd == pytest.approx(0.24)
