"""What is split, what goes, and that a split keeps the shape of what it replaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scenes import blobs

from splat_worker.train.cpu.densification import Findings, edit, split_along_axis
from splat_worker.train.cpu.splats import Splats
from splat_worker.train.cpu.trace import Trace


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


def seen(findings: Findings, share: torch.Tensor, radius_px: float = 9.0) -> None:
    findings.collect(Trace(share=share, radii_px=torch.full_like(share, radius_px)))


def test_two_halves_together_keep_centre_and_the_spread_along_the_split():
    splats = Splats.of(blobs(10))
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


def test_the_gaussians_with_most_error_are_split_and_nothing_else_moves():
    splats = Splats.of(blobs(40))
    before = splats.values["means"].detach().clone()
    findings = Findings(splats)
    share = torch.zeros(40)
    share[[3, 17]] = torch.tensor([5.0, 9.0])
    seen(findings, share)
    assert edit(splats, findings, target=100, opacity_min=0.01) == (0, 2)
    moved = (splats.values["means"][:40] != before).any(dim=1).nonzero()[:, 0].tolist()
    assert moved == [3, 17]


def test_a_score_is_a_mean_over_the_photos_that_saw_the_gaussian():
    splats = Splats.of(blobs(40))
    findings = Findings(splats)
    for radius in (9.0, 9.0, 9.0):
        share = torch.zeros(40)
        share[5] = 2.0  # three times seen, 6 in all, 2 a photo
        seen(findings, share, radius)
    once = torch.zeros(40)
    once[8] = 4.0  # seen in one more photo only
    radii = torch.zeros(40)
    radii[8] = 9.0
    findings.score[8], findings.seen[8] = 0.0, 0.0
    findings.collect(Trace(share=once, radii_px=radii))
    before = splats.values["means"].detach().clone()
    edit(splats, findings, target=41, opacity_min=0.01)
    assert (splats.values["means"][:40] != before).any(dim=1).nonzero()[:, 0].tolist() == [8]


def test_what_is_smaller_than_a_pixel_or_unseen_is_not_split():
    splats = Splats.of(blobs(40))
    findings = Findings(splats)
    seen(findings, torch.ones(40), radius_px=1.0)
    assert edit(splats, findings, target=100, opacity_min=0.01) == (0, 0)


def test_transparent_gaussians_are_removed_and_make_room():
    splats = Splats.of(blobs(40))
    with torch.no_grad():
        splats.values["logits"][:10] = -9.0
    findings = Findings(splats)
    seen(findings, torch.ones(40))
    removed, added = edit(splats, findings, target=100, opacity_min=0.01)
    assert removed == 10
    assert added == 15  # half of the 30 that are left, the most that one edit may add
    assert (splats.values["logits"] > -9.0).all()


def test_a_scene_of_only_transparent_gaussians_is_not_emptied():
    splats = Splats.of(blobs(20))
    with torch.no_grad():
        splats.values["logits"][:] = -9.0
    findings = Findings(splats)
    seen(findings, torch.ones(20))
    removed, _ = edit(splats, findings, target=100, opacity_min=0.01)
    assert removed == 0
    assert len(splats) >= 20


def test_children_start_without_moments_and_the_others_keep_theirs():
    splats = Splats.of(blobs(10))
    for name in splats.first:
        splats.first[name] += 1.0
        splats.second[name] += torch.arange(10.0).reshape(-1, *[1] * (splats.second[name].dim() - 1))
    split_along_axis(splats, torch.tensor([2, 6]))
    for name, first in splats.first.items():
        assert (first[[2, 6, 10, 11]] == 0).all(), name
        assert (splats.second[name][[2, 6, 10, 11]] == 0).all(), name
        assert (splats.second[name][[3, 9]].reshape(2, -1) == torch.tensor([[3.0], [9.0]])).all(), name
