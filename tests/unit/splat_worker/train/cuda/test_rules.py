"""The decisions around the kernels, which need none: room for instances, edits, neighbours, the kernels' file.
All on torch's CPU device.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splat_worker.train.cuda import layout
from splat_worker.train.cuda.densification import edited, resampled, scores, shared_among, split
from splat_worker.train.cuda.engine import from_rows, to_rows
from splat_worker.train.cuda.library import KernelsMissing, load
from splat_worker.train.cuda.neighbours import rms_distances
from splat_worker.train.cuda.photos import resize
from splat_worker.train.cuda.rooms import GRANULE, RoomPlan
from tests.unit.splat_worker.train.cuda import scenes


def test_a_scene_converts_to_columns_and_back_unchanged():
    scene = scenes.gaussians(20, seed=1, degree=2)
    back = from_rows(to_rows(scene, "cpu"), 2)
    for name in ("means", "log_scales", "quats", "opacity_logits", "sh"):
        assert np.array_equal(getattr(back, name), getattr(scene, name)), name


def test_a_view_never_seen_gets_the_first_guess_or_the_most_demanding_views_share():
    plan = RoomPlan(first_guess=1000)
    assert plan.room(0, gaussians=10) == GRANULE
    plan.note(0, counted=100_000, gaussians=1000, room=200_000)
    assert plan.room(1, gaussians=1000) > 150_000


def test_room_follows_the_number_of_gaussians_and_has_a_margin():
    plan = RoomPlan(first_guess=1)
    plan.note(3, counted=1_000_000, gaussians=100_000, room=1 << 20)
    assert plan.room(3, 100_000) >= 1_250_000
    assert plan.room(3, 200_000) >= 2_500_000
    assert plan.room(3, 200_000) % GRANULE == 0


def test_a_step_that_wanted_more_than_it_got_is_counted():
    plan = RoomPlan(first_guess=1)
    plan.note(0, counted=11, gaussians=1, room=10)
    plan.note(0, counted=10, gaussians=1, room=10)
    assert plan.overflows == 1


def test_children_have_the_second_moment_of_their_parent_along_its_longest_axis():
    parent = to_rows(scenes.gaussians(50, seed=2), "cpu")
    near, far = split(parent)
    middle = (near[layout.MEAN] + far[layout.MEAN]) / 2
    assert torch.allclose(middle, parent[layout.MEAN], atol=1e-5)
    longest = parent[layout.SCALE].max(0).values.exp()
    apart = (far[layout.MEAN] - near[layout.MEAN]).norm(dim=0) / 2
    child = near[layout.SCALE].gather(0, parent[layout.SCALE].argmax(0, keepdim=True))[0].exp()
    assert torch.allclose(apart**2 + child**2, longest**2, rtol=1e-3)


def test_an_edit_drops_the_transparent_and_splits_what_gains_most_up_to_the_target():
    columns = to_rows(scenes.gaussians(100, seed=3), "cpu")
    columns[layout.OPACITY] = 0.0
    columns[layout.OPACITY, :10] = -9.0
    moments = (torch.ones_like(columns), torch.full_like(columns, 2.0))
    worth = torch.arange(100.0)
    new, (first, second) = edited(columns, moments, worth, target=105, opacity_min=0.01)
    assert new.shape == first.shape == second.shape == (layout.ROWS, 105)
    kept = columns[:, 10:]
    untouched = (new[:, :90] == kept).all(0)
    assert untouched.sum() == 75
    assert not untouched[75:].any()
    for moment, kept_value in ((first, 1), (second, 2)):
        assert (moment[:, :75] == kept_value).all()
        assert (moment[:, 75:] == 0).all(), "a child starts with its parent's moments: it would hardly move"


def test_copies_in_one_place_look_like_the_original_in_the_middle_and_in_total():
    columns = to_rows(scenes.gaussians(6, seed=4), "cpu")
    columns[layout.OPACITY] = torch.logit(torch.tensor([0.02, 0.1, 0.3, 0.5, 0.9, 0.99]))
    number = torch.tensor([2, 3, 2, 51, 5, 20])
    new = shared_among(columns, number)
    old_o, new_o = torch.sigmoid(columns[layout.OPACITY]), torch.sigmoid(new[layout.OPACITY])
    assert torch.allclose(1 - (1 - new_o.double()) ** number, old_o.double(), atol=1e-4)
    times = (new[layout.SCALE] - columns[layout.SCALE]).exp()
    assert torch.allclose(times[0], times[1])
    x = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    was = (old_o[:, None] * torch.exp(-(x**2) / 2)).sum(1)
    now = (1 - (1 - new_o[:, None] * torch.exp(-((x / times[0][:, None]) ** 2) / 2)) ** number[:, None]).sum(1)
    assert torch.allclose(now, was, rtol=1e-3)


def test_resampling_replaces_faint_gaussians_by_copies_and_grows_to_the_target():
    columns = to_rows(scenes.gaussians(100, seed=5), "cpu")
    columns[layout.OPACITY] = 1.0
    columns[layout.OPACITY, :10] = -9.0
    moments = (torch.ones_like(columns), torch.full_like(columns, 2.0))
    chance = torch.Generator().manual_seed(0)
    new, (first, second) = resampled(columns, moments, target=105, opacity_min=0.01, chance=chance)
    assert new.shape == first.shape == second.shape == (layout.ROWS, 105)
    assert (torch.sigmoid(new[layout.OPACITY]) > 0.01).all()
    same_place = (new[layout.MEAN, :10, None] == columns[layout.MEAN, None, 10:]).all(0)
    assert same_place.any(1).all(), "a faint Gaussian did not become a copy of another"
    untouched = (new[:, 10:100] == columns[:, 10:]).all(0)
    assert 75 <= untouched.sum() <= 89
    for moment, kept in ((first, 1), (second, 2)):
        assert (moment[:, 10:100][:, untouched] == kept).all()
        assert (moment[:, 10:100][:, ~untouched] == 0).all()
        assert (moment[:, :10] == 0).all()
        assert (moment[:, 100:] == 0).all()


def test_an_edit_never_empties_a_scene():
    columns = to_rows(scenes.gaussians(10, seed=4), "cpu")
    columns[layout.OPACITY] = -20.0
    zeros = torch.zeros_like(columns)
    new, _ = edited(columns, (zeros, zeros), torch.zeros(10), target=10, opacity_min=0.1)
    assert new.shape[1] == 10


def test_a_gaussian_too_small_on_the_picture_is_worth_no_split():
    pulls, seen, error_shares, extents = [8.0, 8.0], [2.0, 2.0], [6.0, 6.0], [0.001, 0.1]
    stats = torch.tensor([pulls, seen, error_shares, extents])
    assert scores(stats, extent_min=0.01).tolist() == [0.0, 4.0]


def test_distances_are_those_to_the_three_nearest():
    points = np.random.default_rng(7).normal(0, 1, (60, 3)).astype(np.float32)
    apart = np.sort(np.linalg.norm(points[:, None] - points[None], axis=-1), axis=1)[:, 1:4]
    got = rms_distances(points, "cpu")
    assert np.allclose(got, np.sqrt((apart**2).mean(1)), rtol=1e-4)


def test_a_smaller_photo_has_the_mean_of_the_pixels_it_covers():
    rgb = torch.randint(0, 256, (8, 12, 3), dtype=torch.uint8)
    small = resize(rgb, 6, 4)
    assert small.shape == (4, 6, 3)
    assert abs(float(small.float().mean()) - float(rgb.float().mean())) < 2
    assert resize(rgb, 12, 8) is rgb


def test_missing_kernels_say_how_to_get_them(tmp_path):
    with pytest.raises(KernelsMissing, match=r"splat_worker\.train\.cuda\.build.*SPLAT_BACKEND=gsplat"):
        load(tmp_path / "none.so")
