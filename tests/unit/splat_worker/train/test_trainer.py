"""The loop on scenes whose truth is known: quality, cap, repeatability, resume, cancel, deadline, memory, faults."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import blobs, photos_of, with_oblique

from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.train.backdrop import DIRECTIONS
from splat_worker.train.core.backend import Shapes
from splat_worker.train.core.context import Device, OutOfMemory, TrainContext, TrainingCancelled, TrainingFailed
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.cpu import backend
from splat_worker.train.cpu.rasterize import rasterize
from splat_worker.train.render import render
from splat_worker.train.trainer import train


@pytest.fixture(scope="module")
def posed():
    return photos_of(blobs(150))


def preset(n_photos=9, **changes):
    numbers = {"steps": 200, "size_px": 96, "gaussians_max": 300, "densify_every": 20, **changes}
    return resolve_preset(PresetName.PREVIEW, Device.CPU, n_photos, numbers)


def same(a: Gaussians, b: Gaussians) -> bool:
    fields = ("means", "log_scales", "quats", "opacity_logits", "sh")
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in fields)


class Clock:
    """Time that passes by asking: `per_call_s` each."""

    def __init__(self, per_call_s: float) -> None:
        self.now, self.per_call_s = 0.0, per_call_s

    def __call__(self) -> float:
        self.now += self.per_call_s
        return self.now


@pytest.mark.slow
def test_a_known_scene_is_found_again_from_photos_it_never_saw():
    """Worst seen 28.8 dB, 0.895."""
    result = train(photos_of(blobs(150), count=24), preset(steps=600), TrainContext())
    assert result.metrics.psnr_db > 27.5
    assert result.metrics.ssim > 0.87
    assert result.metrics.names == ("00.jpg", "08.jpg", "16.jpg")
    assert (result.metrics.width, result.metrics.height) == (96, 64)
    assert result.renders["08.jpg"].shape == (64, 96, 3)


def test_more_steps_make_a_better_scene(posed):
    short, longer = (train(posed, preset(steps=n), TrainContext()).metrics.psnr_db for n in (10, 200))
    assert longer > short + 3.0


def test_dark_places_are_closed_not_left_open_unless_the_photos_show_a_subject_in_front_of_nothing(posed):
    def shows_through(photos: PosedPhotos, until: float, steps: int) -> float:
        """Share of a white background that comes through the scene."""
        g = train(photos, preset(any_background=until, steps=steps), TrainContext()).gaussians
        g = g.select(np.linalg.norm(g.means, axis=1) < 8.0)  # without the backdrop, at 12
        arrays = (g.means, g.quats, np.exp(g.log_scales), 1 / (1 + np.exp(-g.opacity_logits)), g.sh)
        parts = [torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for a in arrays]
        over = [rasterize(Shapes(*parts), photos.views[0].camera, torch.full((3,), value)) for value in (0.0, 1.0)]
        return float((over[1] - over[0]).mean())

    dark = replace(posed, views=tuple(replace(v, image=np.maximum(v.image, 20)) for v in posed.views))
    assert shows_through(dark, 0.5, 120) < 0.9 * shows_through(dark, 0.0, 120)
    assert shows_through(posed, 0.5, 20) == shows_through(posed, 0.0, 20)


def test_a_scene_before_a_sky_gets_a_backdrop_in_its_snapshots_and_its_result(posed):
    colour = np.array([90, 140, 220], np.uint8)
    sky = replace(posed, views=tuple(replace(view, image=np.maximum(view.image, colour)) for view in posed.views))
    snapshots: list[Gaussians] = []
    ctx = TrainContext(on_snapshot=snapshots.append, snapshot_first_s=0.0, snapshot_every_s=0.5, clock=Clock(0.1))
    with_dome = train(sky, preset(steps=40), ctx)
    assert len(snapshots) > 3
    for scene in (*snapshots, with_dome.gaussians):
        assert (np.linalg.norm(scene.means, axis=1) > 8.0).sum() >= DIRECTIONS
    # A picture into a direction that is nothing but sky.
    away = replace(sky.views[0].camera, world_to_camera=np.diag([1.0, -1.0, -1.0, 1.0]) @ sky.views[0].world_to_camera)
    assert np.abs(render(with_dome.gaussians, away)[20:40, 30:60] - colour / 255).max() < 0.2
    without = train(sky, preset(steps=40, any_background=0.0), TrainContext())
    assert len(without.gaussians) < 300
    assert with_dome.metrics.psnr_db > without.metrics.psnr_db


@pytest.mark.parametrize("limit", [40, 75, 110])
def test_the_cap_holds_the_initial_points_included(posed, limit):
    counts = []
    ctx = TrainContext(
        on_snapshot=lambda g: counts.append(len(g)), snapshot_first_s=0.0, snapshot_every_s=0.5, clock=Clock(0.1)
    )
    result = train(posed, preset(gaussians_max=limit, steps=100, densify_every=10), ctx)
    assert len(counts) > 10
    assert max(counts) <= limit
    assert limit * 0.9 < len(result.gaussians) <= limit


def test_the_same_seed_gives_the_same_scene_and_another_seed_another(posed):
    numbers = preset(steps=60)
    first, again, other = (train(posed, numbers, TrainContext(seed=s)).gaussians for s in (3, 3, 4))
    assert same(first, again)
    assert not same(first, other)


def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(posed):
    numbers = preset(steps=120, dropout=0.1)
    whole = train(posed, numbers, TrainContext(seed=1))
    saved: list[bytes] = []
    ctx = TrainContext(
        seed=1,
        on_checkpoint=saved.append,
        checkpoint_every_s=1.0,
        clock=Clock(0.02),
        should_stop=lambda: len(saved) == 1,
    )
    with pytest.raises(TrainingCancelled):
        train(posed, numbers, ctx)
    resumed = train(posed, numbers, TrainContext(seed=1, resume=saved[0]))
    assert same(whole.gaussians, resumed.gaussians)
    assert resumed.steps == 120


@pytest.mark.parametrize("data", [b"", b"junk", b"PK\x03\x04 not a zip"])
def test_a_broken_checkpoint_is_reported_and_training_starts_from_the_beginning(posed, data):
    warnings: list[str] = []
    result = train(posed, preset(steps=5), TrainContext(resume=data, warn=warnings.append))
    assert result.steps == 5
    assert "starts from the beginning" in warnings[0]


def test_a_checkpoint_of_another_preset_is_not_used(posed):
    saved: list[bytes] = []
    ctx = TrainContext(on_checkpoint=saved.append, checkpoint_every_s=0.0)
    train(posed, preset(steps=3), ctx)
    warnings: list[str] = []
    result = train(posed, preset(steps=4), TrainContext(resume=saved[0], warn=warnings.append))
    assert result.steps == 4
    assert "another preset" in warnings[0]


def test_cancelling_stops_at_the_next_step(posed):
    asked = []
    ctx = TrainContext(should_stop=lambda: bool(asked.append(1)) or len(asked) > 7)
    with pytest.raises(TrainingCancelled, match="step 7 of"):
        train(posed, preset(), ctx)


def test_a_deadline_shortens_the_schedule_with_a_note(posed):
    warnings: list[str] = []
    ctx = TrainContext(clock=Clock(0.1), deadline_s=20.0, warn=warnings.append)
    result = train(posed, preset(steps=5000), ctx)
    assert 25 < result.steps < 220
    assert len(warnings) == 1
    assert "time limit" in warnings[0]
    assert warnings[0] in result.notes


def test_progress_rises_to_the_end_and_not_more_than_once_a_second(posed):
    clock = Clock(0.05)
    reported: list[tuple[float, float]] = []
    ctx = TrainContext(clock=clock, on_progress=lambda fraction, _m, _eta: reported.append((clock.now, fraction)))
    train(posed, preset(steps=100), ctx)
    times, fractions = zip(*reported, strict=True)
    assert len(reported) > 3
    assert list(fractions) == sorted(fractions)
    assert min(np.diff(times)) >= 1.0


def test_running_out_of_memory_halves_the_size_and_continues(posed, monkeypatch):
    real = backend.rasterize

    def small_memory(*parts):
        if parts[1].width > 64:
            raise MemoryError
        return real(*parts)

    monkeypatch.setattr(backend, "rasterize", small_memory)
    warnings: list[str] = []
    large = replace(posed, views=tuple(_doubled(v) for v in posed.views))
    result = train(large, preset(steps=20, size_px=128), TrainContext(warn=warnings.append))
    assert result.metrics.width == 64
    assert len(result.gaussians) <= 150
    assert warnings == [
        "Memory ran out at 128 px and 300 Gaussians. Training continued with 64 px and 150.",
    ]


def test_memory_that_is_never_enough_is_an_error_with_advice(posed, monkeypatch):
    def no_memory(*_parts):
        raise MemoryError

    monkeypatch.setattr(backend, "rasterize", no_memory)
    with pytest.raises(OutOfMemory, match="more memory or fewer photos"):
        train(posed, preset(), TrainContext())


def test_a_photo_without_a_valid_camera_is_left_out_by_name(posed):
    pose = posed.views[3].world_to_camera.copy()
    pose[0, 3] = np.nan
    broken = replace(posed, views=(*posed.views[:3], replace(posed.views[3], world_to_camera=pose), *posed.views[4:]))
    rest = replace(posed, views=(*posed.views[:3], *posed.views[4:]))
    warnings: list[str] = []
    result = train(broken, preset(steps=20), TrainContext(warn=warnings.append))
    assert same(result.gaussians, train(rest, preset(steps=20), TrainContext()).gaussians)
    assert warnings == ["03.jpg was left out of training: the camera's position or lens is not a valid one."]
    assert result.left_out == ("03.jpg",)
    assert warnings[0] in result.notes


def test_without_two_valid_cameras_training_fails_and_reports_how_many_are_invalid(posed):
    views = tuple(replace(view, k=np.zeros((3, 3))) for view in posed.views[1:])
    with pytest.raises(TrainingFailed, match="8 of 9 photos have no valid camera"):
        train(replace(posed, views=(posed.views[0], *views)), preset(steps=5), TrainContext())


def nan_pictures(monkeypatch, spoiled):
    """Pictures of the cameras for which `spoiled` is true are not finite."""
    real = backend.rasterize
    monkeypatch.setattr(
        backend, "rasterize", lambda *parts: real(*parts) * (float("nan") if spoiled(parts[1]) else 1.0)
    )


def test_a_photo_that_spoils_the_gaussians_is_left_out_and_training_starts_again(posed, monkeypatch):
    third = posed.views[3].camera.centre
    nan_pictures(monkeypatch, lambda camera: np.allclose(camera.centre, third))
    warnings: list[str] = []
    result = train(posed, preset(), TrainContext(warn=warnings.append))
    assert result.left_out == ("03.jpg",)
    assert result.metrics.psnr_db > 19.0
    assert all(np.isfinite(a).all() for a in (result.gaussians.means, result.gaussians.sh))
    assert len(warnings) == 1
    assert "Training collapsed: " in warnings[0]
    assert "started again with smaller steps and without 03.jpg." in warnings[0]


def test_a_run_that_collapses_twice_fails_with_the_reason(posed, monkeypatch):
    nan_pictures(monkeypatch, lambda _camera: True)
    warnings: list[str] = []
    with pytest.raises(TrainingFailed, match=r"collapsed twice: .* values that are not finite"):
        train(posed, preset(), TrainContext(warn=warnings.append))
    assert len(warnings) == 1


def test_two_gaussians_that_cover_everything_are_a_collapse_that_training_recovers_from(posed, monkeypatch):
    real, done = backend.Splats.step, []

    def step(splats, rates):
        real(splats, rates)
        done.append(1)
        if len(done) == 150:
            with torch.no_grad():
                splats.values["logits"][2:] = -9.0
                splats.values["logits"][:2] = 9.0
                splats.values["log_scales"][:2] = 3.0

    monkeypatch.setattr(backend.Splats, "step", step)
    warnings: list[str] = []
    result = train(posed, preset(steps=300, densify_from=0.9), TrainContext(warn=warnings.append))
    assert re.search(r"visible Gaussians fell from \d+ to \d\.", warnings[0])
    assert result.left_out == ()
    assert result.metrics.psnr_db > 19.0


def test_an_oblique_camera_among_the_points_does_no_harm(posed):
    usual, oblique = (train(p, preset(), TrainContext()) for p in (posed, with_oblique(posed, blobs(150))))
    assert "oblique.jpg" not in oblique.metrics.names
    assert oblique.metrics.psnr_db > usual.metrics.psnr_db - 1.0


def _doubled(view):
    k = view.k.copy()
    k[:2] *= 2
    return replace(view, image=view.image.repeat(2, axis=0).repeat(2, axis=1), k=k)
