"""Request quotas: the management API's three windows, the job API's ten seconds.
Pure counting over the time it is given; the routes refuse and write the headers."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, deque
from collections.abc import Mapping

from local_cloud.runpod.core import limits
from local_cloud.runpod.core.settings import Settings

WINDOW_S: Mapping[str, int] = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """`refused` names the window that is used up; headers go on every authenticated answer."""

    headers: Mapping[str, str]
    refused: str | None
    retry_after_s: int


class ManagementLimiter:
    """Fixed windows, all counted at once (rate-limits page; the spec's header examples)."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def count(self, settings: Settings, now_s: float) -> Verdict:
        if settings.rate_limit_minute is None:
            return Verdict(headers={}, refused=None, retry_after_s=0)
        quotas = {
            "minute": settings.rate_limit_minute,
            "hour": settings.rate_limit_hour,
            "day": settings.rate_limit_day,
        }
        refused: str | None = None
        retry_after_s = 0
        state: list[str] = []
        for name, length_s in WINDOW_S.items():
            start_s, used = self._windows.get(name, (now_s, 0))
            if now_s - start_s >= length_s:
                start_s, used = now_s, 0
            used += 1
            self._windows[name] = (start_s, used)
            reset_s = math.ceil(start_s + length_s - now_s)
            state.append(f'"{name}";r={max(0, quotas[name] - used)};t={reset_s}')
            if used > quotas[name] and refused is None:
                refused, retry_after_s = name, reset_s
        policy = ", ".join(f'"{name}";q={quotas[name]};w={length_s}' for name, length_s in WINDOW_S.items())
        headers = {"RateLimit-Policy": policy, "RateLimit": ", ".join(state)}
        return Verdict(headers=headers, refused=refused, retry_after_s=retry_after_s)


class SlidingWindow:
    """At most `quota` events within `window_s`, counted per event time."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def admit(self, quota: int, now_s: float) -> bool:
        while self._times and self._times[0] <= now_s - self._window_s:
            self._times.popleft()
        if len(self._times) >= quota:
            return False
        self._times.append(now_s)
        return True


class JobLimiter:
    """Requests per 10 s and at once, per endpoint and operation (send-requests page)."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], SlidingWindow] = {}
        self.at_once: Counter[tuple[str, str]] = Counter()

    def admit(self, endpoint_id: str, operation: str, now_s: float) -> bool:
        if operation not in limits.JOB_RATES:
            return True
        quota, at_once = limits.JOB_RATES[operation]
        key = (endpoint_id, operation)
        window = self._windows.setdefault(key, SlidingWindow(limits.JOB_RATE_WINDOW_S))
        return self.at_once[key] <= at_once and window.admit(quota, now_s)
