"""What workers cost: stretches of worker time priced, and cut into the buckets of a query.
Pure; virtual unix seconds and USD. Each worker's seconds are rounded up once, when it ends."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Iterator

from . import limits
from .state import Usage, VolumeUsage


@dataclasses.dataclass(frozen=True, kw_only=True)
class Amounts:
    """USD. The platform fee is 0: nothing published says that it is charged on top (open doubt 13)."""

    gpu: float = 0.0
    cpu: float = 0.0
    disk: float = 0.0
    fee: float = 0.0

    @property
    def total(self) -> float:
        return self.gpu + self.cpu + self.disk + self.fee

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            gpu=self.gpu + other.gpu,
            cpu=self.cpu + other.cpu,
            disk=self.disk + other.disk,
            fee=self.fee + other.fee,
        )


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
        cpu=seconds * usage.cpu_usd_per_s,
        disk=_disk_steps(usage, window) * limits.DISK_STEP_S * _disk_usd_per_s(usage.disk_gb),
    )


def _disk_usd_per_s(disk_gb: int) -> float:
    return disk_gb * limits.DISK_USD_PER_GB_MONTH / limits.MONTH_S


def _disk_steps(usage: Usage, window: Bucket) -> int:
    """Disk is billed in steps of 5 minutes; a step belongs to the window in which it begins."""
    steps = math.ceil(round((usage.end_s - usage.start_s) / limits.DISK_STEP_S, 9))
    begins = (usage.start_s + step * limits.DISK_STEP_S for step in range(steps))
    return sum(window.start_s <= begin < window.end_s for begin in begins)


@dataclasses.dataclass(frozen=True, kw_only=True)
class VolumeAmounts:
    """USD of stored gigabytes, by tier."""

    standard: float = 0.0
    high_performance: float = 0.0

    @property
    def total(self) -> float:
        return self.standard + self.high_performance

    def __add__(self, other: VolumeAmounts) -> VolumeAmounts:
        return VolumeAmounts(
            standard=self.standard + other.standard,
            high_performance=self.high_performance + other.high_performance,
        )


def volume_cost(usage: VolumeUsage, window: Bucket) -> VolumeAmounts:
    """The part of a stretch inside a window; the rate falls above 1 TB. Both tiers at one rate (guess)."""
    seconds = max(0.0, min(usage.end_s, window.end_s) - max(usage.start_s, window.start_s))
    cheap_gb = max(0, usage.size_gb - limits.VOLUME_STEP_GB)
    usd_per_month = (
        usage.size_gb - cheap_gb
    ) * limits.VOLUME_USD_PER_GB_MONTH + cheap_gb * limits.VOLUME_USD_PER_GB_MONTH_ABOVE_1_TB
    amount = seconds * usd_per_month / limits.MONTH_S
    if usage.type == "HIGH_PERFORMANCE":
        return VolumeAmounts(high_performance=amount)
    return VolumeAmounts(standard=amount)


def volume_total(usages: Iterable[VolumeUsage], window: Bucket) -> VolumeAmounts:
    return sum((volume_cost(usage, window) for usage in usages), VolumeAmounts())


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
