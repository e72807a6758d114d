"""Photos of different exposure: the scene has that of the average photo, and each photo is judged at its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import blobs, photos_of

from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.exposure import affines_of, as_taken, spread_of
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.trainer import train

GAINS = np.array([1.2, 1.0, 0.8, 1.1, 0.9, 1.0, 1.25, 0.85, 1.0])
GAINS /= np.exp(np.log(GAINS).mean())


@pytest.fixture(scope="module")
def posed():
    return photos_of(blobs(400), count=9)


def exposed(posed, *, known):
    """The photos as if taken with other exposures. known: whether the views say so."""
    views = [
        replace(
            v, image=np.clip(v.image * g, 0, 255).astype(np.uint8), **({"gain": g, "gain_of_tags": g} if known else {})
        )
        for v, g in zip(posed.views, GAINS, strict=True)
    ]
    return replace(posed, views=tuple(views))


def preset(**changes):
    numbers = {"steps": 250, "size_px": 96, "gaussians_max": 500, "densify_every": 25, **changes}
    return resolve_preset(PresetName.PREVIEW, Device.CPU, 9, numbers)


def test_equally_exposed_photos_do_not_differ(posed):
    assert spread_of(posed.views) == 0.0


def test_an_affine_scales_each_channel():
    assert affines_of(np.array([0.5, 2.0]))[1] @ [0.1, 0.2, 0.3, 1.0] == pytest.approx([0.2, 0.4, 0.6])


def test_a_picture_is_shown_at_the_exposure_of_its_photo_and_clips():
    picture = np.array([[[10, 100, 200]]], np.uint8)
    assert as_taken(picture, 1.0) is picture
    assert as_taken(picture, 1.5).tolist() == [[[15, 150, 255]]]


@pytest.mark.slow
def test_without_a_difference_the_plain_figure_is_the_fitted_one(posed):
    """A free colour per photo would let the scene drift: 7 dB plain against 18 dB fitted was seen."""
    metrics = train(posed, preset(), TrainContext()).metrics
    assert metrics.psnr_fitted_db - metrics.psnr_db < 0.5
    assert metrics.psnr_plain_db == metrics.psnr_db


@pytest.mark.slow
def test_with_known_exposures_the_scene_is_as_good_as_if_all_photos_had_one(posed):
    even = train(posed, preset(), TrainContext())
    known = train(exposed(posed, known=True), preset(), TrainContext())
    unknown = train(exposed(posed, known=False), preset(), TrainContext())
    assert known.metrics.psnr_db > even.metrics.psnr_db - 1.0
    assert known.metrics.psnr_db > unknown.metrics.psnr_db + 1.0
    for name, picture in even.renders.items():
        assert known.renders[name].astype(float).mean() / picture.astype(float).mean() == pytest.approx(1, abs=0.05)
    assert any("exposure" in note for note in known.notes)


@pytest.mark.slow
def test_photos_that_differ_are_reported_also_without_tags(posed):
    spoiled = train(exposed(posed, known=False), preset(), TrainContext())
    assert spoiled.metrics.psnr_fitted_db - spoiled.metrics.psnr_db > 1
    assert any("exposure" in note for note in spoiled.notes)
