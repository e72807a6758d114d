"""How many Gaussians, which rates, photos and background at which step. No step is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splat_worker.scene import PosedPhotos, View
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


@pytest.mark.parametrize("behind", [(0.0, 0.0, 0.0), (0.2, 0.5, 0.9)])
def test_the_background_is_random_at_first_and_fades_to_what_lies_behind_the_scene(behind):
    preset, behind = replace(PRESET, any_background=0.5), np.array(behind, np.float32)
    colours = {
        part: np.array([schedule.background(part, preset, np.random.default_rng(seed), behind) for seed in range(50)])
        for part in (0.0, 0.25, 0.5, 1.0)
    }
    assert colours[0.0].max() > 0.9
    assert colours[0.0].min() < 0.1
    halfway = colours[0.25] - 0.5 * behind
    assert halfway.min() >= 0.0
    assert 0.4 < halfway.max() <= 0.5
    for part in (0.5, 1.0):
        assert (colours[part] == behind).all()


def photo(name: str, centre: tuple[float, float, float]) -> View:
    """A camera that looks along +z, 90 degrees wide."""
    pose = np.eye(4)
    pose[:3, 3] = -np.array(centre)
    k = np.array([[50.0, 0, 50], [0, 50.0, 50], [0, 0, 1]])
    return View(name=name, image=np.zeros((100, 100, 3), np.uint8), world_to_camera=pose, k=k)


def flight(spread: float) -> PosedPhotos:
    """Nine photos in a row, straight down from a height of 2, over a field of points that is as long as the row."""
    across = np.linspace(-spread, spread, 9)
    rng = np.random.default_rng(0)
    points = np.stack([rng.uniform(-spread - 1, spread + 1, 4000), rng.uniform(-1, 1, 4000), np.zeros(4000)], 1)
    return PosedPhotos(
        views=tuple(photo(f"{i}", (x, 0.0, -2.0)) for i, x in enumerate(across)),
        points=points.astype(np.float32),
        point_colours=np.zeros((4000, 3), np.uint8),
    )


@pytest.mark.parametrize("spread", [0.0, 2.0, 40.0])
def test_the_unit_of_step_sizes_is_the_subjects_distance_however_far_the_cameras_stand_apart(spread):
    assert schedule.scene_unit(flight(spread)) == pytest.approx(2.0)


def test_points_behind_a_camera_and_outside_its_picture_do_not_count_for_the_unit():
    posed = flight(1.0)
    behind = np.tile(np.array([[0.0, 0.0, -50.0]], np.float32), (9000, 1))
    beside = np.tile(np.array([[500.0, 0.0, 7.0]], np.float32), (9000, 1))
    more = np.concatenate([posed.points, behind, beside])
    assert schedule.scene_unit(
        replace(posed, points=more, point_colours=np.zeros((len(more), 3), np.uint8))
    ) == pytest.approx(2.0)


def test_without_points_in_view_the_unit_is_the_cameras_spread_and_one_where_they_stand_together():
    for spread, unit in ((3.0, 3.0), (0.0, 1.0)):
        posed = replace(
            flight(spread), points=np.full((5, 3), -9, np.float32), point_colours=np.zeros((5, 3), np.uint8)
        )
        assert schedule.scene_unit(posed) == pytest.approx(unit)


@pytest.mark.parametrize(("seen_share", "slow"), [(1.0, 1.0), (0.25, 1.0), (0.0625, 0.5), (0.01, 0.2)])
def test_step_sizes_shrink_where_few_photos_see_a_gaussian_and_weights_do_not(seen_share, slow):
    usual, found = (schedule.rates(PRESET, 2.0, 0.3, seen_share=share) for share in (1.0, seen_share))
    for name in ("mean", "scale", "quat", "opacity", "sh0", "sh", "noise"):
        assert getattr(found, name) == pytest.approx(slow * getattr(usual, name)), name
    assert (found.opacity_weight, found.scale_weight) == (usual.opacity_weight, usual.scale_weight)


def test_the_same_seed_and_step_leave_out_the_same_share_of_the_gaussians():
    preset = replace(PRESET, dropout=0.2)
    one, again, next_step, other_seed = (
        schedule.left_out(preset, seed, step, 10_000, "cpu") for seed, step in ((1, 7), (1, 7), (1, 8), (2, 7))
    )
    assert (one == again).all()
    assert (one != next_step).any()
    assert (one != other_seed).any()
    assert 0.18 < one.float().mean() < 0.22
    assert schedule.left_out(PRESET, 1, 7, 10_000, "cpu") is None
