"""The floor under a scene's held-out figures, on figures of real runs. No scene is trained."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from splat_worker.scene import View
from splat_worker.train.core.context import Device, HeldOut
from splat_worker.train.core.metrics import measure
from splat_worker.train.health.floor import below_floor


def figures(psnr_db: float, ssim: float, fitted_db: float, flat_db: float) -> HeldOut:
    return HeldOut(
        psnr_db=psnr_db,
        ssim=ssim,
        psnr_plain_db=psnr_db,
        psnr_fitted_db=fitted_db,
        psnr_flat_db=flat_db,
        names=("a.jpg",),
        width=400,
        height=300,
    )


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(figures(24.1, 0.71, 24.2, 14.6), id="samples, preview"),
        pytest.param(figures(14.8, 0.49, 16.7, 11.8), id="lund, preview: the hardest set"),
        pytest.param(figures(14.2, 0.47, 16.0, 11.8), id="lund, standard on a GPU, the worse of two seeds"),
        pytest.param(figures(24.3, 0.76, 25.2, 17.4), id="seneca, preview"),
        pytest.param(figures(10.0, 0.5, 19.0, 12.0), id="photos of very different exposure"),
        pytest.param(figures(30.0, 0.9, 33.0, 32.0), id="photos of almost one colour"),
    ],
)
def test_a_hard_set_is_a_scene(found):
    assert below_floor(found) is None


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(figures(5.3, 0.0004, 17.4, 17.4), "SSIM is 0.000", id="167 photos, black"),
        pytest.param(
            figures(16.4, 0.5, 17.6, 17.4), "PSNR is 16.4 dB.*mean colour has 17.4 dB", id="80 photos, eleven blobs"
        ),
        pytest.param(figures(17.3, 0.6, 17.4, 17.4), "mean colour", id="a sheet of a slightly wrong colour"),
    ],
)
def test_a_scene_that_shows_nothing_is_none(found, reason):
    assert re.search(reason, below_floor(found) or "")


@pytest.mark.parametrize("masked", [False, True])
def test_the_figures_of_pictures_without_content_are_below_the_floor_and_a_blurred_photo_is_above(masked):
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    photo = np.asarray(coarse.resize((80, 60), Image.Resampling.BICUBIC))
    mask = np.arange(60)[:, None] + np.zeros(80) < 40 if masked else None
    view = View(name="a", image=photo, world_to_camera=np.eye(4), k=np.eye(3), mask=mask)
    mean = photo.reshape(-1, 3).mean(0) if mask is None else photo[mask].mean(0)
    sheet = np.broadcast_to(np.rint(mean), photo.shape).astype(np.uint8)
    blurred = np.asarray(coarse.resize((80, 60), Image.Resampling.NEAREST))
    black, flat, rough = (measure({"a": p}, (view,), Device.CPU) for p in (np.zeros_like(photo), sheet, blurred))
    assert flat.psnr_flat_db == pytest.approx(flat.psnr_db, abs=0.01)
    assert below_floor(black) is not None
    assert below_floor(flat) is not None
    assert below_floor(rough) is None
