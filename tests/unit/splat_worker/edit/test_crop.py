"""Cropping by shapes. Silent failures: a box turned the wrong way, a soft edge that grows opacity, a crop that changes
what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import blobs

from splat_worker.edit.crop import OPACITY_MIN, Box, Sphere, crop, weights
from splat_worker.edit.turn import rotation_of
from splat_worker.scene import Float32

QUARTER_ABOUT_Y = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)


def points(*rows: tuple[float, float, float]) -> Float32:
    return np.array(rows, np.float32)


def test_a_box_keeps_what_lies_between_its_sides() -> None:
    box = Box(centre=(1.0, 0.0, 0.0), half=(1.0, 2.0, 3.0))
    given = points((0.1, 1.9, -2.9), (-0.1, 0, 0), (1, 2.1, 0), (1, 0, 3.1), (2.0, 0, 0))
    assert weights(given, box).tolist() == [1, 0, 0, 0, 1]


def test_the_quaternion_of_a_box_turns_its_axes_into_the_scene() -> None:
    """A quarter about y brings the box's long x axis to the scene's -z axis."""
    box = Box(centre=(0, 0, 0), half=(3.0, 1.0, 1.0), quat=QUARTER_ABOUT_Y)
    assert weights(points((0, 0, -2.5), (2.5, 0, 0)), box).tolist() == [1, 0]
    tilted = Box(centre=(0, 0, 0), half=(3.0, 0.1, 0.1), quat=(0.9, 0.3, -0.2, 0.1))
    along = rotation_of(tilted.quat) @ [2.9, 0, 0]
    assert weights(points(tuple(along), tuple(-along), tuple(along[::-1])), tilted).tolist() == [1, 1, 0]


def test_a_sphere_keeps_its_inside_or_its_outside() -> None:
    ball = Sphere(centre=(0, 1, 0), radius=0.5)
    given = points((0, 1.4, 0), (0, 0, 0))
    assert weights(given, ball).tolist() == [1, 0]
    assert weights(given, ball, outside=True).tolist() == [0, 1]


@pytest.mark.parametrize("outside", [False, True])
def test_a_soft_edge_rises_from_the_surface_to_its_width(outside: bool) -> None:
    ball = Sphere(centre=(0, 0, 0), radius=1.0)
    sign = 1 if outside else -1
    at = [weights(points((1 + sign * d, 0, 0)), ball, soft=0.2, outside=outside)[0] for d in (-0.01, 0.05, 0.1, 0.2)]
    assert at[0] == 0
    assert at[1] == pytest.approx(0.15625, abs=1e-5)
    assert at[2] == pytest.approx(0.5, abs=1e-5)
    assert at[3] == pytest.approx(1)


def test_a_hard_crop_keeps_its_gaussians_bit_by_bit_and_in_order() -> None:
    scene = blobs(500)
    ball = Sphere(centre=(0.2, 0, 0), radius=0.6)
    inside = np.linalg.norm(scene.means - np.array([0.2, 0, 0], np.float32), axis=1) <= 0.6
    kept = crop(scene, ball)
    assert 0 < len(kept) < len(scene)
    for name in ("means", "log_scales", "quats", "opacity_logits", "sh"):
        assert np.array_equal(getattr(kept, name), getattr(scene, name)[inside]), name
    rest = crop(scene, ball, outside=True)
    assert len(kept) + len(rest) == len(scene)


def test_a_soft_edge_multiplies_opacities_and_drops_what_nobody_sees() -> None:
    scene = blobs(2000)
    ball = Sphere(centre=(0, 0, 0), radius=0.8)
    kept = crop(scene, ball, soft=0.3)
    share = weights(scene.means, ball, soft=0.3)
    wanted = share / (1 + np.exp(-scene.opacity_logits.astype(np.float64)))
    seen = (share == 1) | ((share > 0) & (wanted >= OPACITY_MIN))
    assert np.array_equal(kept.means, scene.means[seen])
    assert 1 / (1 + np.exp(-kept.opacity_logits.astype(np.float64))) == pytest.approx(wanted[seen], rel=1e-5)
    assert len(kept) < len(crop(scene, ball))
