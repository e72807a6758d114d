"""What counts as a floater, and above all what does not, by each device's search for neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import blobs, looking_at_origin

from splat_worker.scene import Gaussians
from splat_worker.train.core.floaters import rows_to_keep, visible_rows
from splat_worker.train.cpu import backend as cpu
from splat_worker.train.cuda import neighbours as cuda

pytestmark = pytest.mark.parametrize("lonely", [cpu.lonely, cuda.lonely], ids=["cpu", "cuda"])
CAMERAS = tuple(looking_at_origin(angle, 80, 60) for angle in (-0.3, 0.0, 0.3))
SCENE = blobs(500)
POINTS = SCENE.means


def with_extra(position: list[float], log_scale: float = -2.5) -> Gaussians:
    """The scene with one more Gaussian, the last."""
    extra = np.array([position], np.float32)
    return Gaussians(
        means=np.concatenate([SCENE.means, extra]),
        log_scales=np.concatenate([SCENE.log_scales, np.full((1, 3), log_scale, np.float32)]),
        quats=np.concatenate([SCENE.quats, np.ones((1, 4), np.float32)]),
        opacity_logits=np.concatenate([SCENE.opacity_logits, np.full(1, 2.0, np.float32)]),
        sh=np.concatenate([SCENE.sh, np.zeros((1, 1, 3), np.float32)]),
    )


def in_front_of(camera_index: int, distance: float) -> list[float]:
    camera = CAMERAS[camera_index]
    return (camera.centre + distance * camera.world_to_camera[2, :3]).tolist()


def keep_mask(lonely, scene: Gaussians) -> np.ndarray:
    rows = rows_to_keep(torch.from_numpy(scene.means), torch.from_numpy(scene.opacity_logits), CAMERAS, POINTS, lonely)
    return np.isin(np.arange(len(scene)), rows.numpy())


def test_a_lonely_gaussian_close_to_a_camera_is_removed_and_nothing_else(lonely):
    keep = keep_mask(lonely, with_extra(in_front_of(1, 0.4)))
    assert not keep[-1]
    assert keep[:-1].all()


def test_a_lonely_gaussian_behind_the_scene_stays_because_it_may_be_sky(lonely):
    assert keep_mask(lonely, with_extra(in_front_of(1, 30.0))).all()


def test_a_gaussian_close_to_a_camera_but_outside_every_picture_stays(lonely):
    camera = CAMERAS[1]
    behind = (camera.centre - 0.5 * camera.world_to_camera[2, :3]).tolist()
    assert keep_mask(lonely, with_extra(behind)).all()


def test_a_dense_surface_close_to_a_camera_stays(lonely):
    rng = np.random.default_rng(0)
    near = np.array(in_front_of(1, 0.4)) + rng.normal(0, 0.02, (60, 3))
    wall = Gaussians(
        means=np.concatenate([SCENE.means, near.astype(np.float32)]),
        log_scales=np.concatenate([SCENE.log_scales, np.full((60, 3), -4, np.float32)]),
        quats=np.concatenate([SCENE.quats, np.ones((60, 4), np.float32)]),
        opacity_logits=np.concatenate([SCENE.opacity_logits, np.full(60, 2.0, np.float32)]),
        sh=np.concatenate([SCENE.sh, np.zeros((60, 1, 3), np.float32)]),
    )
    assert keep_mask(lonely, wall).all()


def test_invisible_gaussians_are_removed_but_never_all(lonely):
    logits = SCENE.opacity_logits.copy()
    logits[:7] = -6.0
    assert visible_rows(torch.from_numpy(logits)).tolist() == list(range(7, 500))
    assert keep_mask(lonely, replace(SCENE, opacity_logits=logits)).sum() == 493
    assert visible_rows(torch.full((500,), -6.0)).tolist() == list(range(500))
