"""The budget: what is split, what goes, how the number grows, and that a split keeps the shape of what it replaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import blobs

from splat_worker.scene import Gaussians
from splat_worker.train.context import Device
from splat_worker.train.densify import Budget, split_along_axis
from splat_worker.train.model import Splats
from splat_worker.train.presets import PresetName, resolve_preset
from splat_worker.train.trace import Trace

PRESET = replace(
    resolve_preset(PresetName.PREVIEW, Device.CPU, 20),
    gaussians_max=100,
    densify_from=0.1,
    densify_until=0.6,
    densify_every=50,
    opacity_prune=0.01,
)
STEPS = 1000


def splats_of(gaussians: Gaussians) -> Splats:
    parts = {
        "means": gaussians.means,
        "log_scales": gaussians.log_scales,
        "quats": gaussians.quats,
        "logits": gaussians.opacity_logits,
        "colour": gaussians.sh[:, :1],
        "sh": gaussians.sh[:, 1:],
    }
    return Splats({name: torch.from_numpy(part.copy()) for name, part in parts.items()})


def covariances(splats: Splats) -> np.ndarray:
    v = {name: value.detach().numpy().astype(np.float64) for name, value in splats.values.items()}
    w, x, y, z = (v["quats"] / np.linalg.norm(v["quats"], axis=1, keepdims=True)).T
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    m = turn * np.exp(v["log_scales"])[:, None, :]
    return m @ m.transpose(0, 2, 1)


def seen(budget: Budget, share: torch.Tensor, radius_px: float = 9.0) -> None:
    budget.collect(Trace(share=share, radii_px=torch.full_like(share, radius_px)))


def test_two_halves_together_keep_centre_and_the_spread_along_the_split():
    splats = splats_of(blobs(10))
    before, centre = covariances(splats)[4], splats.values["means"][4].detach().numpy().copy()
    split_along_axis(splats, torch.tensor([4]))
    means = splats.values["means"].detach().numpy()[[4, 10]].astype(np.float64)
    assert len(splats) == 11
    assert np.allclose(means.mean(axis=0), centre, atol=1e-6)
    values, vectors = np.linalg.eigh(before)
    longest = vectors[:, 2]
    offsets = (means - centre) @ longest
    together = np.mean([longest @ c @ longest for c in covariances(splats)[[4, 10]]]) + np.mean(offsets**2)
    assert together == pytest.approx(values[2], rel=1e-4)


def test_the_best_paid_are_split_and_nothing_else_moves():
    splats = splats_of(blobs(40))
    before = splats.values["means"].detach().clone()
    budget = Budget(PRESET, splats)
    share = torch.zeros(40)
    share[[3, 17]] = torch.tensor([5.0, 9.0])
    seen(budget, share)
    assert budget.edit(splats, 600, STEPS) == (0, 2)
    moved = (splats.values["means"][:40] != before).any(dim=1).nonzero()[:, 0].tolist()
    assert moved == [3, 17]


def test_a_score_is_a_mean_over_the_photos_that_saw_the_gaussian():
    splats = splats_of(blobs(40))
    budget = Budget(replace(PRESET, gaussians_max=41), splats)
    for radius in (9.0, 9.0, 9.0):
        share = torch.zeros(40)
        share[5] = 2.0  # three times seen, 6 in all, 2 a photo
        seen(budget, share, radius)
    once = torch.zeros(40)
    once[8] = 4.0  # seen in one more photo only
    radii = torch.zeros(40)
    radii[8] = 9.0
    budget.score[8], budget.seen[8] = 0.0, 0.0
    budget.collect(Trace(share=once, radii_px=radii))
    before = splats.values["means"].detach().clone()
    budget.edit(splats, 600, STEPS)
    assert (splats.values["means"][:40] != before).any(dim=1).nonzero()[:, 0].tolist() == [8]


def test_what_is_smaller_than_a_pixel_or_unseen_is_not_split():
    splats = splats_of(blobs(40))
    budget = Budget(PRESET, splats)
    seen(budget, torch.ones(40), radius_px=1.0)
    assert budget.edit(splats, 600, STEPS) == (0, 0)


def test_transparent_ones_go_and_make_room():
    splats = splats_of(blobs(40))
    with torch.no_grad():
        splats.values["logits"][:10] = -9.0
    budget = Budget(PRESET, splats)
    budget.start = 40
    seen(budget, torch.ones(40))
    removed, added = budget.edit(splats, 600, STEPS)
    assert removed == 10
    assert added == 15  # half of the 30 that are left, the most that one edit may add
    assert (splats.values["logits"] > -9.0).all()


def test_a_scene_of_only_transparent_ones_is_not_emptied():
    splats = splats_of(blobs(20))
    with torch.no_grad():
        splats.values["logits"][:] = -9.0
    budget = Budget(PRESET, splats)
    seen(budget, torch.ones(20))
    removed, _ = budget.edit(splats, 600, STEPS)
    assert removed == 0
    assert len(splats) >= 20


def test_the_target_is_a_line_from_the_start_to_the_cap():
    budget = Budget(PRESET, splats_of(blobs(40)))
    targets = [budget.target(step, STEPS) for step in range(100, 601, 50)]
    assert targets[0] == 40
    assert targets[-1] == targets[-2] == 100
    assert targets == sorted(targets)


def test_edits_are_due_in_their_window_only():
    budget = Budget(PRESET, splats_of(blobs(40)))
    due = [step for step in range(1, STEPS + 1) if budget.due(step, STEPS)]
    assert due == list(range(100, 601, 50))


def test_children_start_without_moments_and_the_others_keep_theirs():
    splats = splats_of(blobs(10))
    for name in splats.first:
        splats.first[name] += 1.0
        splats.second[name] += torch.arange(10.0).reshape(-1, *[1] * (splats.second[name].dim() - 1))
    split_along_axis(splats, torch.tensor([2, 6]))
    for name, first in splats.first.items():
        assert (first[[2, 6, 10, 11]] == 0).all(), name
        assert (splats.second[name][[2, 6, 10, 11]] == 0).all(), name
        assert (splats.second[name][[3, 9]].reshape(2, -1) == torch.tensor([[3.0], [9.0]])).all(), name
