"""Removing floaters. Silent failures: a sky or a plain wall that is taken for floaters, floaters that stay."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.edit.floaters import CELLS_MAX, CELLS_MIN, cell_of, cells_per_side, floating, groups_of

RNG = np.random.default_rng(3)


def shell(n: int, radius: float) -> np.ndarray:
    directions = RNG.normal(size=(n, 3))
    return radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def blob(n: int, at: tuple[float, float, float], size: float) -> np.ndarray:
    return np.array(at) + RNG.uniform(-size, size, (n, 3))


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_small_groups_apart_are_floaters_and_the_rest_is_not(strength: float) -> None:
    subject, sky = shell(20_000, 1.0), shell(300, 40.0)
    floor = np.stack([RNG.uniform(-2, 2, 6000), np.full(6000, 1.0), RNG.uniform(-2, 2, 6000)], axis=1)
    clouds = [blob(8, (0.0, -2.0, 0.3), 0.03), blob(1, (1.6, -1.4, 0.2), 0.0)]
    means = np.concatenate([subject, sky, floor, *clouds]).astype(np.float32)
    found = floating(means, strength=strength)
    assert found[-9:].all()
    assert not found[:-9].any()


def test_strength_chooses_how_large_a_group_may_be() -> None:
    means = np.concatenate([shell(10_000, 1.0), blob(80, (0, -2.2, 0), 0.05)]).astype(np.float32)
    assert floating(means, strength=1.0)[-80:].all()
    assert not floating(means, strength=0.5).any()
    assert not floating(means, strength=0.0).any()


def test_what_lies_beyond_the_reach_stays() -> None:
    means = np.concatenate([shell(10_000, 1.0), blob(5, (0, -5.0, 0), 0.02)]).astype(np.float32)
    assert floating(means, strength=1.0, reach=6.0)[-5:].all()
    assert not floating(means, strength=1.0, reach=4.0).any()


def test_a_scene_of_one_gaussian_or_of_none_has_no_floaters() -> None:
    assert not floating(np.zeros((1, 3), np.float32), strength=1.0).any()
    assert len(floating(np.zeros((0, 3), np.float32), strength=1.0)) == 0


def test_cells_cover_the_whole_space() -> None:
    far = np.array([[1e6, 1e6, 1e6], [-1e6, -1e6, -1e6], [0, 0, 0]], np.float32)
    side = cells_per_side(1.0)
    cells = cell_of(far, side)
    assert cells.min() >= 0
    assert cells.max() < side**3
    assert (cells_per_side(0.0), side) == (CELLS_MIN, CELLS_MAX)


def test_cells_that_touch_are_one_group_and_the_sides_of_space_do_not_touch() -> None:
    side = 4
    number = np.array([0, 3, 4, 21, 63])  # (0,0,0) (3,0,0) (0,1,0) (1,1,1) (3,3,3)
    assert groups_of(number, side).tolist() == [0, 1, 0, 0, 4]
