"""The CPU's sweeps against the formula in torch's operations, and against what the loss means."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splat_worker.train.core.preset import SSIM_SHARE
from splat_worker.train.cpu.loss import photometric_loss, prepare_target
from splat_worker.train.gsplat import loss as formula


def case(width, height=33, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 1, (3, height, width))
    photo = rng.uniform(0, 1, (height, width, 3))
    mask = rng.uniform(size=(height, width)) > 0.2
    affine = np.eye(3, 4) + rng.normal(0, 0.1, (3, 4))
    return image, photo, mask, affine


@pytest.mark.parametrize("width", [12, 45, 48])
@pytest.mark.parametrize("masked", [False, True])
def test_loss_gradients_and_error_agree_with_the_torch_formula(width, masked):
    image, photo, mask, affine = case(width)
    x, a = torch.tensor(image, requires_grad=True), torch.tensor(affine)
    valid = torch.tensor(mask) if masked else None
    want, want_error = formula.photometric_loss(x, torch.tensor(photo.transpose(2, 0, 1)), a, valid)
    want.backward()
    y = torch.tensor(image, dtype=torch.float32, requires_grad=True)
    b = torch.tensor(affine, dtype=torch.float32)
    got, error = photometric_loss(y, prepare_target(photo, mask if masked else None), b)
    got.backward()
    assert got.item() == pytest.approx(want.item(), abs=1e-6)
    assert (error - want_error).abs().max() < 1e-6
    assert (y.grad - x.grad).norm() < 1e-6 * x.grad.norm()


def test_equal_pictures_cost_nothing_and_pull_nowhere():
    _, photo, _, _ = case(40)
    picture = torch.tensor(photo.transpose(2, 0, 1), dtype=torch.float32, requires_grad=True)
    loss, error = photometric_loss(picture, prepare_target(photo, None), torch.eye(3, 4))
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert error.abs().max() == 0
    assert picture.grad.abs().max() < 1e-7


def test_pixels_outside_the_mask_do_not_matter():
    image, photo, mask, affine = case(40)
    target = prepare_target(photo, mask)
    spoiled = image.copy()
    spoiled[:, ~mask] = 7.0
    first, second = (
        photometric_loss(torch.tensor(i, dtype=torch.float32), target, torch.tensor(affine, dtype=torch.float32))[0]
        for i in (image, spoiled)
    )
    assert first.item() == second.item()


def test_the_photos_own_affine_takes_an_exposure_difference_out():
    _, photo, _, _ = case(40)
    darker = torch.tensor(photo.transpose(2, 0, 1) * 0.5, dtype=torch.float32)
    target = prepare_target(photo, None)
    doubled = torch.cat([2 * torch.eye(3), torch.zeros(3, 1)], dim=1)
    assert photometric_loss(darker, target, doubled)[0].item() == pytest.approx(0.0, abs=1e-6)
    assert photometric_loss(darker, target, torch.eye(3, 4))[0].item() > 0.1 * (1 - SSIM_SHARE)
