"""Measured gains: right where photos differ, nothing where they do not, and no drift of the scene's colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import blobs, photos_of

from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.exposure import photo_gains
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.trainer import train

GAINS = np.array([1.2, 1.0, 0.8, 1.1, 0.9, 1.0, 1.25, 0.85, 1.0])


@pytest.fixture(scope="module")
def posed():
    return photos_of(blobs(400), count=9)


def exposed(posed, gains):
    """The photos as if taken with other exposures; the cloud keeps its colours."""
    views = [
        replace(v, image=np.clip(v.image * g, 0, 255).astype(np.uint8)) for v, g in zip(posed.views, gains, strict=True)
    ]
    return replace(posed, views=tuple(views))


def preset(**changes):
    numbers = {"steps": 250, "size_px": 96, "gaussians_max": 500, "densify_every": 25, **changes}
    return resolve_preset(PresetName.PREVIEW, Device.CPU, 9, numbers)


def test_equally_exposed_photos_have_gains_of_exactly_one(posed):
    assert (photo_gains(posed, posed.views) == 1).all()


def test_gains_are_found_up_to_their_common_mean(posed):
    spoiled = exposed(posed, GAINS)
    got = photo_gains(spoiled, spoiled.views)
    want = GAINS / np.exp(np.log(GAINS).mean())
    assert np.abs(np.log(got.mean(axis=1)) - np.log(want)).max() < 0.1  # blobs hide each other: worst seen 0.08


def test_gains_have_a_geometric_mean_of_one(posed):
    spoiled = exposed(posed, GAINS)
    assert np.allclose(np.log(photo_gains(spoiled, spoiled.views)).mean(axis=0), 0, atol=1e-9)


def test_a_photo_with_too_few_usable_points_has_a_gain_of_one(posed):
    black = exposed(posed, np.zeros(9))
    assert (photo_gains(black, black.views) == 1).all()


@pytest.mark.slow
def test_without_a_difference_the_plain_figure_is_the_fitted_one(posed):
    """A free colour per photo would let the scene drift: 7 dB plain against 18 dB fitted was seen."""
    metrics = train(posed, preset(), TrainContext()).metrics
    assert metrics.psnr_fitted_db - metrics.psnr_db < 0.5


@pytest.mark.slow
def test_with_gains_taken_out_the_scene_has_the_colours_of_the_average_photo(posed):
    plain = train(posed, preset(exposure=True), TrainContext())
    spoiled = train(exposed(posed, GAINS), preset(exposure=True), TrainContext())
    for name, picture in plain.renders.items():
        ratio = spoiled.renders[name].astype(float).mean() / picture.astype(float).mean()
        assert ratio == pytest.approx(np.exp(np.log(GAINS).mean()), abs=0.08)
    assert any("exposure" in note for note in spoiled.notes)


@pytest.mark.slow
def test_photos_that_differ_are_reported_also_without_gains(posed):
    spoiled = train(exposed(posed, GAINS), preset(), TrainContext())
    assert spoiled.metrics.psnr_fitted_db - spoiled.metrics.psnr_db > 1
    assert any("exposure" in note for note in spoiled.notes)
