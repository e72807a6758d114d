"""The price of a job: seconds times the rate of the configured GPU, itemised by stage.
Pure arithmetic. The rate and its date come with the job.
"""

from __future__ import annotations

from collections.abc import Sequence

from splat_worker.contract.job_input import Price
from splat_worker.contract.job_report import PriceReport, StageReport

CPU_NOTE = "Ran on a CPU. The price assumes the same seconds on the configured GPU."


def itemise(stages: Sequence[StageReport], price: Price | None) -> tuple[StageReport, ...]:
    """The same stages, with `usd` if the rate is known."""
    if price is None:
        return tuple(stages)
    return tuple(stage.model_copy(update={"usd": _usd(stage.seconds, price)}) for stage in stages)


def price_report(stages: Sequence[StageReport], price: Price | None, *, on_gpu: bool) -> PriceReport | None:
    """The total, or None without a rate. RunPod also bills a worker's start and idle seconds; they belong to no job."""
    if price is None:
        return None
    billed_s = round(sum(stage.seconds for stage in stages), 1)
    return PriceReport(
        usd=_usd(billed_s, price),
        usd_per_s=price.usd_per_s,
        gpu=price.gpu,
        as_of=price.as_of,
        source=price.source,
        billed_s=billed_s,
        estimate=not on_gpu,
        note="" if on_gpu else CPU_NOTE,
    )


def seconds_allowed(max_seconds: float | None, max_cost_usd: float | None, price: Price | None) -> float | None:
    """The tighter of both limits, in seconds."""
    limits = [max_seconds] if max_seconds is not None else []
    if max_cost_usd is not None and price is not None and price.usd_per_s > 0:
        limits.append(max_cost_usd / price.usd_per_s)
    return min(limits) if limits else None


def _usd(seconds: float, price: Price) -> float:
    return round(seconds * price.usd_per_s, 6)
