"""Billing arithmetic: parts over a partition add up, seconds round up, buckets tile the calendar."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.runpod.account import billing
from local_cloud.runpod.account.billing import Bucket
from local_cloud.runpod.account.state import Usage

YEAR_2020 = dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp()
moments = st.floats(YEAR_2020, YEAR_2020 + 10 * 366 * 86_400, allow_nan=False)
sizes = st.sampled_from(["hour", "day", "week", "month", "year"])


def usage(start_s: float, seconds: float) -> Usage:
    return Usage(
        endpoint_id="e",
        worker_id="w",
        start_s=start_s,
        end_s=start_s + seconds,
        gpu_usd_per_s=0.00031,
        disk_gb=20,
    )


def test_an_hour_on_a_4090_costs_its_rate_and_its_disk() -> None:
    found = billing.cost(usage(0, 3600), Bucket(start_s=0, end_s=86_400))
    assert found.gpu == pytest.approx(1.116)
    assert found.disk == pytest.approx(20 * 0.10 / (30 * 24))
    assert found.total == pytest.approx(found.gpu + found.disk)


@pytest.mark.parametrize(("seconds", "billed"), [(0.0, 0), (0.001, 1), (1.0, 1), (1.2, 2), (59.9999999, 60)])
def test_seconds_round_up(seconds: float, billed: int) -> None:
    assert billing.billed_end_s(100.0, 100.0 + seconds) == pytest.approx(100 + billed)


@given(start=moments, seconds=st.integers(1, 40 * 86_400), size=st.sampled_from(["day", "week", "month", "year"]))
def test_the_buckets_of_a_stretch_add_up_to_the_whole(start: float, seconds: int, size: str) -> None:
    one = usage(start, seconds)
    buckets = list(billing.buckets(one.start_s, one.end_s, size))
    whole = billing.cost(one, Bucket(start_s=buckets[0].start_s, end_s=buckets[-1].end_s))
    assert sum(billing.cost(one, bucket).total for bucket in buckets) == pytest.approx(whole.total, rel=1e-6)
    # Unix seconds near 1.7e9 leave about 2e-7 s of rounding.
    assert whole.gpu == pytest.approx(seconds * one.gpu_usd_per_s, rel=1e-6)


@given(start=moments, span=st.floats(1, 60 * 86_400), size=sizes)
def test_buckets_are_adjacent_and_cover_the_window(start: float, span: float, size: str) -> None:
    found = list(billing.buckets(start, start + span, size))
    assert found[0].start_s <= start
    assert found[-1].end_s >= start + span
    assert all(before.end_s == after.start_s for before, after in itertools.pairwise(found))


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    wednesday = dt.datetime(2026, 11, 25, 13, 5, tzinfo=dt.UTC).timestamp()
    assert billing.bucket_start(wednesday, "week") == dt.datetime(2026, 11, 23, tzinfo=dt.UTC).timestamp()
    december = billing.next_start(billing.bucket_start(wednesday, "month"), "month")
    assert december == dt.datetime(2026, 12, 1, tzinfo=dt.UTC).timestamp()
