"""What workers cost: the price of their time, split into the buckets of a query.
Pure; virtual unix seconds and USD. Each worker's seconds are rounded up once, when it ends."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Iterator

from local_cloud.runpod.account.state import Usage
from local_cloud.runpod.core import limits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """USD. No platform fee: nothing published reports that it comes on top."""

    gpu: float = 0.0
    disk: float = 0.0

    @property
    def total(self) -> float:
        return self.gpu + self.disk

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(gpu=self.gpu + other.gpu, disk=self.disk + other.disk)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bucket:
    start_s: float
    end_s: float


def billed_end_s(start_s: float, end_s: float) -> float:
    """Whole seconds, rounded up (docs: serverless/pricing)."""
    return start_s + math.ceil(round(end_s - start_s, 6))


def cost(usage: Usage, window: Bucket) -> Amounts:
    """The part of a stretch inside a window; parts over a partition add up to the whole."""
    seconds = max(0.0, min(usage.end_s, window.end_s) - max(usage.start_s, window.start_s))
    return Amounts(
        gpu=seconds * usage.gpu_usd_per_s,
        disk=_disk_steps(usage, window) * limits.DISK_STEP_S * _disk_usd_per_s(usage.disk_gb),
    )


def _disk_usd_per_s(disk_gb: int) -> float:
    return disk_gb * limits.DISK_USD_PER_GB_MONTH / limits.MONTH_S


def _disk_steps(usage: Usage, window: Bucket) -> int:
    """Disk is billed in steps of 5 minutes; a step belongs to the window in which it begins."""
    steps = math.ceil(round((usage.end_s - usage.start_s) / limits.DISK_STEP_S, 9))
    begins = (usage.start_s + step * limits.DISK_STEP_S for step in range(steps))
    return sum(window.start_s <= begin < window.end_s for begin in begins)


def total(usages: Iterable[Usage], window: Bucket) -> Amounts:
    return sum((cost(usage, window) for usage in usages), Amounts())


def bucket_start(moment_s: float, size: str) -> float:
    """Start of the UTC hour, day, ISO week (Monday), month or year that holds a moment."""
    # Whole seconds: a datetime rounds to microseconds, which could lift a moment over the boundary.
    moment = dt.datetime.fromtimestamp(math.floor(moment_s), tz=dt.UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    starts = {
        "hour": hour,
        "day": day,
        "week": day - dt.timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "year": day.replace(month=1, day=1),
    }
    return starts[size].timestamp()


def next_start(start_s: float, size: str) -> float:
    """The bucket boundary after `start_s`, which is itself one."""
    start = dt.datetime.fromtimestamp(start_s, tz=dt.UTC)
    if size == "year":
        return start.replace(year=start.year + 1).timestamp()
    if size == "month":
        return (start + dt.timedelta(days=32)).replace(day=1).timestamp()
    return start_s + {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}[size]


def buckets(start_s: float, end_s: float, size: str) -> Iterator[Bucket]:
    """The whole buckets that cover [start, end), widened to their boundaries."""
    begin = bucket_start(start_s, size)
    while begin < end_s:
        after = next_start(begin, size)
        yield Bucket(start_s=begin, end_s=after)
        begin = after
