"""How many Gaussians, which rates, photos and background at which step. No step is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splat_worker.train.core import schedule
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset

STEPS = 1000
PRESET = replace(
    resolve_preset(PresetName.PREVIEW, Device.CPU, 20),
    gaussians_max=100,
    densify_from=0.1,
    densify_until=0.6,
    densify_every=50,
    opacity_prune=0.01,
)


def test_the_target_is_a_line_from_the_start_to_the_cap():
    targets = [schedule.target(PRESET, 40, step, STEPS) for step in range(100, 601, 50)]
    assert targets[0] == 40
    assert targets[-1] == targets[-2] == 100
    assert targets == sorted(targets)


def test_edits_are_due_in_their_window_only():
    due = [step for step in range(1, STEPS + 1) if schedule.edit_due(PRESET, step, STEPS)]
    assert due == list(range(100, 601, 50))


def test_resampling_grows_by_a_constant_factor_and_splits_by_a_constant_number():
    preset = replace(PRESET, gaussians_max=1600, densify_from=0.0, densify_until=0.5, densify_every=100)
    steps = (0, 100, 200, 300, 400, 900)
    resampled = [schedule.target(replace(preset, resample=True), 100, step, STEPS) for step in steps]
    split = [schedule.target(preset, 100, step, STEPS) for step in steps]
    assert resampled == [100, 200, 400, 800, 1600, 1600]
    assert split == [100, 475, 850, 1225, 1600, 1600]


def test_rates_stay_until_growth_ends_and_fall_to_their_last_share():
    preset = replace(PRESET, densify_until=0.5, rates_end=0.01)
    found = []
    for part in (0.0, 0.5, 0.75, 1.0):
        rates = schedule.rates(preset, 1.0, part)
        found.append([rates.scale, rates.quat, rates.opacity, rates.sh0, rates.sh])
    for row, share in zip(found, (1.0, 1.0, 0.1, 0.01), strict=True):
        assert row == pytest.approx([share * first for first in found[0]])


@pytest.mark.parametrize("size_px", [40, 96, 1600])
def test_the_coarse_stage_has_half_the_photos_size_however_large_the_preset_would_take_them(size_px):
    preset = replace(PRESET, size_px=size_px, coarse=((0.25, 0.5),))
    whole = min(size_px, 96)
    assert [schedule.size_px(preset, 96, part) for part in (0.0, 0.24)] == [whole // 2] * 2
    assert [schedule.size_px(preset, 96, part) for part in (0.25, 0.99)] == [whole] * 2


def test_the_background_is_random_at_first_and_fades_to_black():
    preset = replace(PRESET, any_background=0.5)
    brightest = [
        max(schedule.background(part, preset, np.random.default_rng(seed)).max() for seed in range(50))
        for part in (0.0, 0.25, 0.5, 1.0)
    ]
    assert brightest[0] > 0.9
    assert 0.4 < brightest[1] <= 0.5
    assert brightest[2:] == [0.0, 0.0]
