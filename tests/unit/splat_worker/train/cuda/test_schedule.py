"""The schedule of a run on the GPU: how many Gaussians and which rates at which step. No step is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splat_worker.scene import View
from splat_worker.train.context import Device
from splat_worker.train.cuda.fit import Fit
from splat_worker.train.presets import PresetName, resolve_preset
from tests.unit.splat_worker.train.cuda import scenes

SIZE = (32, 24)


def fit_of(emulated, **numbers) -> Fit:
    preset = replace(resolve_preset(PresetName.STANDARD, Device.CUDA, 25), gaussians_max=1600, **numbers)
    view = View(
        name="a",
        image=np.zeros((SIZE[1], SIZE[0], 3), np.uint8),
        world_to_camera=np.eye(4),
        k=np.array([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]]),
    )
    start = scenes.gaussians(100, seed=1)
    return Fit(start=start, views=(view,), preset=preset, extent=1.0, seed=0, device="cpu", kernels=emulated)


def targets(fit: Fit, steps: tuple[int, ...]) -> list[int]:
    found = []
    for fit.at_step in steps:
        found.append(fit.target())
    return found


def test_resampling_grows_by_a_constant_factor_and_splits_by_a_constant_number(emulated) -> None:
    numbers = {"steps": 1000, "densify_from": 0.0, "densify_until": 0.5, "densify_every": 100}
    steps = (0, 100, 200, 300, 400, 900)
    assert targets(fit_of(emulated, resample=True, **numbers), steps) == [100, 200, 400, 800, 1600, 1600]
    assert targets(fit_of(emulated, resample=False, **numbers), steps) == [100, 475, 850, 1225, 1600, 1600]


def test_rates_stay_until_growth_ends_and_fall_to_their_last_share(emulated) -> None:
    fit = fit_of(emulated, steps=1000, densify_until=0.5, rates_end=0.01)
    found = []
    for fit.at_step in (0, 500, 750, 1000):
        rates = fit.rates()
        found.append([rates.scale, rates.quat, rates.opacity, rates.sh0, rates.sh])
    for row, share in zip(found, (1.0, 1.0, 0.1, 0.01), strict=True):
        assert row == pytest.approx([share * first for first in found[0]])


@pytest.mark.parametrize("size_px", [16, 32, 1600])
def test_the_coarse_stage_has_half_the_photos_size_however_large_the_preset_would_take_them(emulated, size_px) -> None:
    fit, widths = fit_of(emulated, steps=100, size_px=size_px, coarse=((0.25, 0.5),)), []
    for fit.at_step in (0, 24, 25, 99):
        fit._set_size()
        widths.append(fit._views[0].rgb.shape[1])
    whole = min(size_px, SIZE[0])
    assert widths == [max(whole // 2, 16)] * 2 + [whole] * 2


def test_an_edit_that_resamples_reaches_its_target(emulated) -> None:
    fit = fit_of(emulated, steps=1000, resample=True)
    fit.at_step = 500
    fit.edit()
    assert fit.engine.count == fit.target() > 100
