"""PSNR, SSIM and the colour fit against values that follow from their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from splat_worker.metrics import apply_colour, fit_colour, psnr_db, ssim
from splat_worker.train.gsplat.loss import ssim_map

RNG = np.random.default_rng(0)
PHOTO = torch.from_numpy(RNG.uniform(0.2, 0.8, (40, 52, 3)))


def test_psnr_of_a_known_error():
    assert psnr_db(PHOTO, PHOTO + 0.1) == pytest.approx(20.0)
    assert psnr_db(PHOTO, PHOTO) == math.inf


def test_psnr_counts_only_valid_pixels():
    valid = torch.zeros(PHOTO.shape[:2], dtype=torch.bool)
    valid[:10] = True
    spoiled = PHOTO + 0.1
    spoiled[10:] = 5.0
    assert psnr_db(PHOTO, spoiled, valid) == pytest.approx(20.0)


def test_ssim_is_one_for_equal_and_low_for_unrelated_pictures():
    assert ssim(PHOTO, PHOTO) == pytest.approx(1.0)
    assert ssim(PHOTO, torch.from_numpy(RNG.uniform(0.2, 0.8, PHOTO.shape))) < 0.2


def test_ssim_of_flat_pictures_follows_the_luminance_term():
    a, b, c1 = 0.4, 0.6, 0.01**2
    want = (2 * a * b + c1) / (a * a + b * b + c1)
    assert ssim(
        torch.full((20, 20, 3), a, dtype=torch.float64), torch.full((20, 20, 3), b, dtype=torch.float64)
    ) == pytest.approx(want)


def test_ssim_is_the_mean_of_the_losses_map_away_from_the_border():
    other = (PHOTO + torch.from_numpy(RNG.normal(0, 0.1, PHOTO.shape))).clamp(0, 1)
    a, b = (p.permute(2, 0, 1).contiguous() for p in (PHOTO, other))
    assert ssim(PHOTO, other) == pytest.approx(ssim_map(a, b)[:, 5:-5, 5:-5].mean().item(), abs=1e-9)


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="resize"):
        psnr_db(PHOTO, PHOTO[1:])
    with pytest.raises(ValueError, match="11x11"):
        ssim(PHOTO[:5], PHOTO[:5])


def test_the_colour_fit_undoes_an_exposure_change():
    affine = fit_colour(0.5 * PHOTO + 0.05, PHOTO)
    assert np.allclose(affine.numpy(), np.concatenate([2 * np.eye(3), np.full((3, 1), -0.1)], axis=1))
    assert psnr_db(apply_colour(affine, 0.5 * PHOTO + 0.05), PHOTO) > 100


def test_ssim_counts_only_windows_around_valid_pixels():
    rng = np.random.default_rng(0)
    a = torch.from_numpy(rng.random((200, 40, 3)))
    b = a.clone()
    b[:, 20:] = torch.from_numpy(rng.random((200, 20, 3)))
    left, right = torch.zeros(200, 40, dtype=torch.bool), torch.zeros(200, 40, dtype=torch.bool)
    left[:, :14], right[:, 26:] = True, True
    assert ssim(a, b, left) == pytest.approx(1.0, abs=1e-9)
    assert ssim(a, b, right) < 0.2
    assert ssim(a, b, left | right) == pytest.approx((9 * ssim(a, b, left) + 9 * ssim(a, b, right)) / 18)
    assert np.isnan(ssim(a, b, torch.zeros(200, 40, dtype=torch.bool)))
