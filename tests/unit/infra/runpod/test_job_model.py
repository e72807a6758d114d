"""The model of a job's seconds on the recorded runs, and how cards are scaled."""

from __future__ import annotations

import json

import pytest

from infra.runpod.job_model import RUNS_FILE, Run, fit, read_runs, recorded_model, slowness

BENCH = json.loads(RUNS_FILE.read_text())


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


def test_the_recorded_model_is_that_of_the_committed_runs() -> None:
    assert recorded_model() == fit(read_runs(BENCH))
