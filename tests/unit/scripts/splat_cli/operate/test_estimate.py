"""The model on the recorded runs, and the table of cards at the stand-in's rates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.runpod.catalog import GpuType, read_catalog
from local_cloud.runpod.account import catalog as stand_in
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.estimate import Run, as_json, basis_lines, fit, read_runs, rows, slowness

ROOT = Path(__file__).parents[5]
BENCH = json.loads((ROOT / "bench/gpu.json").read_text())


@pytest.fixture(scope="module")
def catalog() -> tuple[GpuType, ...]:
    return read_catalog(
        {
            "id": one.id,
            "name": one.name,
            "pool": one.pool,
            "memory": one.memory_gb,
            "price": {"serverless": (one.serverless_usd_per_s or 0) * 3600 or None},
        }
        for one in stand_in.load().gpus
    )


def test_the_model_meets_every_recorded_job_within_its_stated_error() -> None:
    runs = read_runs(BENCH)
    model = fit(runs)
    assert len(runs) == len(BENCH["whole_job"]) + len(BENCH["handler_jobs"]) - 1
    assert model.error < 0.2
    for one in runs:
        assert model.seconds(one.preset, one.photos) == pytest.approx(one.total_s, rel=model.error + 1e-9)
    # The recorded totals without their imports, which the model leaves to the cold start.
    for one in BENCH["whole_job"]:
        warm_s = one["total_s"] - one["stages_s"]["imports"]
        assert model.seconds(one["preset"], one["photos"]) == pytest.approx(warm_s, rel=0.15)


def test_the_fit_recovers_a_law_that_it_is_given() -> None:
    runs = [
        Run(
            preset=preset, photos=photos, sfm_s=0.5 * photos, train_s=train, rest_s=4, gpu_sfm_s=0.2 * photos, start_s=6
        )
        for preset, train in (("preview", 3.0), ("standard", 20.0))
        for photos in (10, 40)
    ]
    model = fit(runs)
    assert (model.error, model.gpu_share, model.start_s) == (pytest.approx(0), pytest.approx(0.4), 6)
    assert model.seconds("standard", 100) == pytest.approx(74)
    assert model.seconds("standard", 100, slowness=2) == pytest.approx(74 + 20 + 20)


@pytest.mark.parametrize(
    ("card", "low", "high"),
    [
        ("H200", 1, 1),
        ("NVIDIA H200", 1, 1),
        ("H100 SXM", 1.1, 1.3),
        ("NVIDIA GeForce RTX 4090", 1.8, 2.1),
        ("L4", 5, 7),
    ],
)
def test_a_card_is_scaled_by_its_published_figures(card: str, low: float, high: float) -> None:
    found = slowness(card)
    assert found is not None
    assert low <= found <= high


def test_cards_whose_names_begin_alike_are_told_apart() -> None:
    assert slowness("L40S") != slowness("L40")
    assert slowness("RTX 6000 Ada") != slowness("RTX PRO 6000")
    assert slowness("Quadro P400") is None


def test_the_table_has_the_cards_that_were_asked_for_and_their_prices(catalog: tuple[GpuType, ...]) -> None:
    model = fit(read_runs(BENCH))
    found = rows(model, ["RTX 4090", "H200"], catalog, preset="standard", photos=50)
    assert [(one.gpu, one.measured) for one in found] == [("RTX 4090", False), ("H200 SXM", True)]
    for one in found:
        assert one.usd == pytest.approx(one.seconds * one.usd_per_h / 3600)
    everything = rows(model, [], catalog, preset="standard", photos=50)
    assert everything == sorted(everything, key=lambda one: (one.usd, one.gpu))
    assert len(everything) > 15
    assert as_json(found, model, as_of="2026-11-30")["cards"][0]["gpu"] == "RTX 4090"
    assert "the largest miss on them is 15%" in basis_lines(model, as_of="2026-11-30")[0]


@pytest.mark.parametrize(
    ("names", "preset", "message"),
    [
        (["T4"], "preview", "does not offer"),
        (["RTX 2000 Ada"], "preview", "speed of RTX 2000 Ada is not known"),
        ([], "high", "No whole job with preset high was recorded"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    names: list[str], preset: str, message: str, catalog: tuple[GpuType, ...]
) -> None:
    with pytest.raises(CommandError, match=message):
        rows(fit(read_runs(BENCH)), names, catalog, preset=preset, photos=50)
