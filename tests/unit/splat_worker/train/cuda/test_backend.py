"""The GPU's trainer around the kernels: photos of the stage's size, edits that reach their target, a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.core import schedule
from splat_worker.train.core.backend import Setup
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.core.schedule import Moment
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.backend import TIMES_SEEN, CudaBackend, engine_for
from splat_worker.train.cuda.memory import INSTANCES_LIMIT
from splat_worker.train.health.watch import Watch

SIZE = (32, 24)
BLACK = np.zeros(3, np.float32)


def backend_of(emulated, *, free: int | None = None, **numbers) -> CudaBackend:
    numbers = {"gaussians_max": 1600, **numbers}
    preset = replace(resolve_preset(PresetName.STANDARD, Device.CUDA, 25), **numbers)
    rng = np.random.default_rng(1)
    pose = np.eye(4)
    pose[2, 3] = 4.0
    view = View(
        name="a",
        image=rng.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8),
        world_to_camera=pose,
        k=np.array([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]]),
    )
    points = rng.normal(0, 0.5, (100, 3)).astype(np.float32)
    posed = PosedPhotos(views=(view,), points=points, point_colours=np.full((100, 3), 99, np.uint8))
    setup = Setup(posed=posed, views=(view,), preset=preset, unit=1.0, affines=None, seed=0, rng=rng, device="cpu")
    return CudaBackend(setup, partial(engine_for, kernels=emulated, free=free))


@pytest.mark.parametrize("size_px", [32, 1600])
def test_the_coarse_stage_has_half_the_photos_size_however_large_the_preset_would_take_them(emulated, size_px) -> None:
    backend = backend_of(emulated, size_px=size_px, coarse=((0.25, 0.5),))
    widths = [backend.views_at(part)[0].rgb.shape[1] for part in (0.0, 0.24, 0.25, 0.99)]
    whole = min(size_px, SIZE[0])
    assert widths == [whole // 2] * 2 + [whole] * 2


@pytest.mark.parametrize("resample", [True, False])
def test_an_edit_adds_gaussians_up_to_its_target(emulated, resample) -> None:
    backend = backend_of(emulated, resample=resample, densify_from=0.0, densify_until=0.5, gaussians_max=130)
    for step in range(3):
        backend.step(0, Moment(step=step, steps=1000, background=BLACK))
    backend.edit(500, 1000)
    assert backend.count == 130


def test_a_loaded_state_goes_on_as_the_saved_one(emulated) -> None:
    first, second = backend_of(emulated), backend_of(emulated)
    moments = [Moment(step=step, steps=50, background=BLACK) for step in range(4)]
    for moment in moments[:2]:
        first.step(0, moment)
    second.load(first.save())
    for moment in moments[2:]:
        first.step(0, moment)
        second.step(0, moment)
    assert np.array_equal(first.scene().means, second.scene().means)
    assert np.array_equal(first.scene().sh, second.scene().sh)


def test_it_measures_what_share_of_the_photos_sees_a_gaussian(emulated) -> None:
    """Two photos, of which the second looks away: half. And never less than one photo's share."""
    preset = replace(resolve_preset(PresetName.STANDARD, Device.CUDA, 25), gaussians_max=200)
    toward, away = np.eye(4), np.diag([1.0, -1.0, -1.0, 1.0])
    toward[2, 3] = away[2, 3] = 4.0
    away[2, 3] = -4.0
    k = np.array([[30.0, 0, 16], [0, 30.0, 12], [0, 0, 1]])
    image = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    views = tuple(View(name=n, image=image, world_to_camera=p, k=k) for n, p in (("a", toward), ("b", away)))
    points = np.random.default_rng(0).normal(0, 0.3, (100, 3)).astype(np.float32)
    posed = PosedPhotos(views=views, points=points, point_colours=np.full((100, 3), 99, np.uint8))
    rng = np.random.default_rng(0)
    setup = Setup(posed=posed, views=views, preset=preset, unit=1.0, affines=None, seed=0, rng=rng, device="cpu")
    backend = CudaBackend(setup, partial(engine_for, kernels=emulated))
    backend.step(1, Moment(step=0, steps=1000, background=BLACK))
    backend.step(0, Moment(step=1, steps=1000, background=BLACK))
    assert float(backend.save()["seen_share"]) == pytest.approx(0.5, abs=0.05)
    backend.step(1, Moment(step=2, steps=1000, background=BLACK))
    backend.edit(3, 1000)
    backend.step(1, Moment(step=3, steps=1000, background=BLACK))
    backend.edit(4, 1000)
    assert float(backend.save()["seen_share"]) == 0.5


def test_a_look_has_each_photos_error_and_counts_what_is_broken_or_invisible(emulated) -> None:
    backend = backend_of(emulated)
    first = backend.look()
    assert np.isnan(first.errors).all()
    assert (first.count, first.broken, first.visible) == (100, 0, 100)
    for step in range(2):
        backend.step(0, Moment(step=step, steps=1000, background=BLACK))
    error = backend.look().errors
    assert 0.2 < error[0] < 0.6  # random colours against a few Gaussians
    assert np.isnan(backend.look().errors).all(), "a look starts a new one"
    params = backend.engine.params
    params[layout.MEAN, 3] = float("nan")
    params[layout.OPACITY, 5:9] = -9.0
    found = backend.look()
    assert (found.count, found.broken, found.visible) == (100, 1, 95)
    assert backend.drop_broken() == 1
    assert (backend.count, backend.look().broken) == (99, 0)


def test_two_gaussians_that_cover_everything_are_found_and_need_no_more_room_than_the_picture(emulated) -> None:
    backend = backend_of(emulated)
    watch = Watch(backend._setup.views)
    assert watch.judge(backend.look(), step=100, steps=1000) is None
    params = backend.engine.params
    params[layout.OPACITY, 2:] = -9.0
    params[layout.OPACITY, :2] = 9.0
    params[layout.SCALE, :2] = 3.0
    for step in range(2):
        backend.step(0, Moment(step=step, steps=1000, background=BLACK))
    assert torch.isfinite(backend.engine.params).all()
    found = watch.judge(backend.look(), step=200, steps=1000)
    assert found is not None
    assert "fell from 100 to 2" in found.reason


@pytest.mark.parametrize("resample", [True, False])
def test_a_picture_that_wants_more_memory_than_there_is_loses_its_largest_gaussians(
    emulated, monkeypatch, resample
) -> None:
    """A hundred Gaussians that all cover the whole picture, and room for half of that."""
    tiles = layout.tiles_of(*SIZE)
    monkeypatch.setattr("splat_worker.train.cuda.backend.instances_max", lambda *_, **__: 50 * tiles)
    backend = backend_of(emulated, resample=resample, densify_from=0.0, gaussians_max=100, coarse=())
    params = backend.engine.params
    params[layout.SCALE, 10:] = 2.0
    for step in range(2):
        backend.step(0, Moment(step=step, steps=1000, background=BLACK))
    wanted = backend.engine.crowding
    assert wanted > 1.5
    assert backend.engine.arena.instances == 50 * tiles, "more memory was taken than there is"
    assert torch.isfinite(backend.engine.params).all()
    assert backend.look().crowding == wanted
    backend.edit(2, 1000)
    assert backend.look().crowding == wanted, "an edit hides from the next look what was before it"
    assert 50 <= backend.count < 65
    backend.step(0, Moment(step=2, steps=1000, background=BLACK))
    assert backend.look().crowding <= 1.0


def test_a_card_too_small_for_a_usual_picture_is_out_of_memory_before_the_first_step(emulated) -> None:
    with pytest.raises(MemoryError, match="100 MiB on the GPU are too few for 1600 Gaussians"):
        backend_of(emulated, free=100 << 20)


def test_an_oblique_camera_among_the_points_explodes_neither_memory_nor_values(emulated) -> None:
    """It stands 0.004 before a point, with part of the points behind its image plane and others beside it."""
    backend = backend_of(emulated, coarse=())
    setup = backend._setup
    middle = setup.posed.points[np.argmin(np.linalg.norm(setup.posed.points, axis=1))].astype(np.float64)
    turn = np.array([[0.8, 0.0, -0.6], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, -turn @ (middle - 0.004 * turn[2])
    views = (replace(setup.views[0], name="oblique", world_to_camera=pose), setup.views[0])
    depth = setup.posed.points @ pose[2, :3] + pose[2, 3]
    assert 0 < depth[depth > 0].min() < 0.005
    assert (depth < 0).mean() > 0.2
    posed = replace(setup.posed, views=views)
    backend = CudaBackend(replace(setup, posed=posed, views=views), partial(engine_for, kernels=emulated))
    for step in range(4):
        backend.step(step % 2, Moment(step=step, steps=1000, background=BLACK))
    look = backend.look()
    assert look.broken == 0
    assert look.visible == look.count
    assert np.isfinite(look.errors).all()
    wanted = look.crowding * INSTANCES_LIMIT
    assert wanted <= look.count * layout.tiles_of(*SIZE)


@pytest.mark.parametrize(("log_scale", "drawn"), [(6.0, 1), (20.0, 0), (50.0, 0), (90.0, 0)])
def test_a_gaussian_whose_footprint_no_float_can_hold_is_not_drawn(emulated, log_scale, drawn) -> None:
    backend = backend_of(emulated, coarse=())
    backend.engine.params[layout.SCALE.start, 7] = log_scale
    backend.step(0, Moment(step=0, steps=1000, background=BLACK))
    assert backend.engine.stats[TIMES_SEEN, 7] == drawn
    look = backend.look()
    assert np.isfinite(look.errors).all()
    assert look.broken <= 1


def test_gaussians_left_out_of_a_step_stay_as_they_are(emulated) -> None:
    backend = backend_of(emulated, dropout=0.3, coarse=())
    before = backend.engine.params.clone()
    backend.step(0, Moment(step=0, steps=1000, background=BLACK))
    left_out = schedule.left_out(backend._preset, 0, 1, backend.count, "cpu")
    changed = (backend.engine.params != before).any(0)
    assert 0.15 < left_out.float().mean() < 0.45
    assert not changed[left_out].any()
    assert changed[~left_out].all()
