"""Turning a scene. Silent failures: colours that stay behind when a scene turns, a mirrored scene, half a turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import blobs, looking_at_origin

from splat_worker.edit.turn import UP, quat_between, rotation_of, turned, upright
from splat_worker.scene import Gaussians
from splat_worker.train.render import render

QUATS = [(0.5, 0.5, 0.5, 0.5), (0.9, -0.3, 0.2, 0.25), (0.0, 0.0, 0.0, 1.0)]


def coloured(n: int, degree: int) -> Gaussians:
    """Blobs whose colours depend on the direction."""
    scene = blobs(n)
    rng = np.random.default_rng(1)
    sh = np.concatenate([scene.sh, rng.normal(0, 0.25, (n, (degree + 1) ** 2 - 1, 3)).astype(np.float32)], axis=1)
    return replace(scene, sh=sh)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("quat", QUATS)
def test_a_camera_that_turns_along_sees_the_same_picture(quat: tuple[float, ...], degree: int) -> None:
    scene, camera = coloured(300, degree), looking_at_origin(0.7, 96, 64)
    turn = np.eye(4)
    turn[:3, :3] = rotation_of(quat)
    along = replace(camera, world_to_camera=camera.world_to_camera @ turn.T)
    before, after = render(scene, camera), render(turned(scene, quat), along)
    assert np.abs(before - after).max() < 2e-3
    if degree:
        without_harmonics = replace(turned(scene, quat), sh=scene.sh)
        assert np.abs(before - render(without_harmonics, along)).max() > 0.02


@pytest.mark.parametrize("up", [(0, -1, 0), (0, 1, 0), (1, 0, 0), (0.6, -0.64, 0.48)])
def test_upright_brings_up_to_the_frame_of_scenes(up: tuple[float, float, float]) -> None:
    rotation = rotation_of(upright(up))
    assert rotation @ np.array(up) == pytest.approx(UP, abs=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_shortest_turn_moves_nothing_across_it() -> None:
    a, b = np.array([0.0, -1.0, 0.0]), np.array([0.0, -0.8, 0.6])
    assert rotation_of(quat_between(a, b)) @ np.array([1.0, 0, 0]) == pytest.approx([1, 0, 0])
