"""Prices: the cost of a stage, the seconds a cost limit allows, and that a CPU run is marked as an estimate."""

from __future__ import annotations

import pytest

from splat_worker.contract.job_input import Price
from splat_worker.contract.job_report import StageReport
from splat_worker.errors import Stage
from splat_worker.job.cost import itemise, price_report, seconds_allowed

RATE = Price(gpu="RTX 4090", usd_per_s=0.00031, as_of="2026-11-23", source="catalogue")
STAGES = [StageReport(stage=Stage.SFM, seconds=20.0), StageReport(stage=Stage.TRAIN, seconds=100.5)]


def test_the_prices_of_the_stages_add_up() -> None:
    items = itemise(STAGES, RATE)
    total = price_report(STAGES, RATE, on_gpu=True)
    assert [item.usd for item in items] == [0.0062, 0.031155]
    assert total is not None
    assert total.usd == pytest.approx(sum(item.usd or 0 for item in items), abs=1e-6)
    assert total.billed_s == 120.5


def test_a_run_on_a_cpu_is_marked_as_an_estimate() -> None:
    on_cpu, on_gpu = (price_report(STAGES, RATE, on_gpu=on_gpu) for on_gpu in (False, True))
    assert on_cpu is not None
    assert on_gpu is not None
    assert (on_cpu.estimate, on_gpu.estimate) == (True, False)
    assert "CPU" in on_cpu.note
    assert on_gpu.note == ""


def test_without_a_rate_there_is_no_price() -> None:
    assert price_report(STAGES, None, on_gpu=True) is None
    assert itemise(STAGES, None) == tuple(STAGES)


@pytest.mark.parametrize(
    ("seconds", "usd", "price", "allowed"),
    [
        (None, None, RATE, None),
        (600.0, None, RATE, 600.0),
        (600.0, 0.031, RATE, 100.0),
        (60.0, 0.031, RATE, 60.0),
        (None, 0.031, RATE, 100.0),
        (None, 1.0, Price(gpu="free", usd_per_s=0, as_of=""), None),
    ],
)
def test_the_tighter_limit_counts(
    seconds: float | None, usd: float | None, price: Price, allowed: float | None
) -> None:
    found = seconds_allowed(seconds, usd, price)
    assert found == (None if allowed is None else pytest.approx(allowed))
