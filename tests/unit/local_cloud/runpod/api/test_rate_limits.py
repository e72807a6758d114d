"""Quotas; the test gives the time."""

from __future__ import annotations

from local_cloud.runpod.api.rate_limits import ManagementLimiter, SlidingWindow
from local_cloud.runpod.core.settings import Settings


def test_the_hour_refuses_while_the_minute_has_requests_left() -> None:
    limiter, settings = ManagementLimiter(), Settings(rate_limit_minute=10, rate_limit_hour=2)
    assert limiter.count(settings, 0.0).refused is None
    assert limiter.count(settings, 100.0).refused is None
    third = limiter.count(settings, 200.0)
    assert (third.refused, third.retry_after_s) == ("hour", 3_400)
    assert limiter.count(settings, 3_600.0).refused is None


def test_without_limits_there_are_no_headers() -> None:
    verdict = ManagementLimiter().count(Settings(rate_limit_minute=None), 0.0)
    assert (verdict.headers, verdict.refused) == ({}, None)


def test_a_sliding_window_forgets_old_requests() -> None:
    window = SlidingWindow(10)
    assert [window.admit(2, at_s) for at_s in (0.0, 5.0, 9.9, 10.0, 14.9, 15.0)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]
