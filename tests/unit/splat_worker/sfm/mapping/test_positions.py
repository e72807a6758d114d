"""Cameras against the position tags of their photos, with noise and errors of known size."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.sfm.mapping.positions import far_from_positions, robust_fit

NAMES = tuple(f"{i:02d}" for i in range(20))


def flight(noise_m: float, *, extent_m: float = 120.0) -> tuple[np.ndarray, dict[str, tuple[float, float, float]]]:
    """Camera centres in a frame of their own, and the tags in m."""
    rng = np.random.default_rng(6)
    true = rng.uniform([0, 0, 50], [extent_m, extent_m, 60], (20, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    centres = 0.03 * true @ (q * np.sign(np.linalg.det(q))).T + [5, -2, 1]
    tags = true + rng.normal(0, noise_m, true.shape)
    return centres, {name: tuple(tag) for name, tag in zip(NAMES, tags, strict=True)}


@pytest.mark.parametrize("noise_m", [0.0, 1.0, 6.0])
def test_tags_that_agree_are_not_far(noise_m: float) -> None:
    centres, tags = flight(noise_m)
    assert far_from_positions(NAMES, centres, tags) is None


@pytest.mark.parametrize("noise_m", [0.0, 1.0, 3.0])
def test_a_camera_on_the_wrong_side_is_far(noise_m: float) -> None:
    centres, tags = flight(noise_m)
    centres[7] += np.array([3.0, 0, 3.0])  # 140 m
    assert far_from_positions(NAMES, centres, tags) == "07"


@pytest.mark.parametrize(
    ("count", "extent_m"), [(7, 120.0), (20, 8.0)], ids=["too few tags", "a table: tags closer than their error"]
)
def test_tags_that_say_nothing_are_not_asked(count: int, extent_m: float) -> None:
    centres, tags = flight(0.0, extent_m=extent_m)
    centres[3] += 3.0
    assert far_from_positions(NAMES, centres, dict(list(tags.items())[:count])) is None


def test_tags_without_any_relation_to_the_cameras_are_not_asked() -> None:
    centres, tags = flight(0.0)
    shuffled = dict(zip(tags, np.random.default_rng(1).permutation(list(tags.values())).tolist(), strict=True))
    assert far_from_positions(NAMES, centres, shuffled) is None


def test_a_fit_is_not_pulled_by_a_fifth_of_wrong_points() -> None:
    centres, tags = flight(0.0)
    true = np.array(list(tags.values()))
    centres[:4] += np.random.default_rng(2).normal(0, 4, (4, 3))
    off = np.linalg.norm(robust_fit(centres, true) - true, axis=1)
    assert np.all(off[4:] < 0.5)
