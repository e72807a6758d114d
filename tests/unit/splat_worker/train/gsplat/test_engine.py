"""gsplat's trainer: a step equals one of our kernels', and whole runs find a known scene.
On a CPU gsplat's own torch functions draw every Gaussian at every pixel; marked gpu, its kernels do.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from reference import dense_parts
from scenes import blobs, photos_of

from splat_worker.scene import Camera
from splat_worker.train.backends import choose
from splat_worker.train.core.backend import Kind, Shapes
from splat_worker.train.core.context import BackendUnavailable, Device, TrainContext, Trained, TrainingCancelled
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cpu.rasterize import rasterize
from splat_worker.train.cuda import layout
from splat_worker.train.cuda import rasterize as cuda
from splat_worker.train.cuda.backend import CudaBackend
from splat_worker.train.cuda.engine import DeviceView, Engine
from splat_worker.train.gsplat import rasterize as gsplat
from splat_worker.train.gsplat.engine import GsplatEngine
from splat_worker.train.loop import Training
from splat_worker.train.trainer import train
from tests.unit.splat_worker.train.cuda import scenes

RATES = Rates(mean=0.01, scale=0.02, quat=0.03, opacity=0.04, sh0=0.05, sh=0.06, opacity_weight=0.02, scale_weight=0.02)
GRADIENT = 2e-3  # relative; float32 on both sides


def dense_draw(shapes: Shapes, camera: layout.CCamera, background: torch.Tensor) -> gsplat.Drawn:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.array(camera.r).reshape(3, 3), camera.t
    k = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    pinhole = Camera(world_to_camera=pose, k=k, width=camera.width, height=camera.height)
    return gsplat.Drawn(*dense_parts(shapes, pinhole, background))


def engine_of(scene, device: str) -> GsplatEngine:
    """On a GPU with gsplat's kernels, or the test is skipped."""
    if device == "cpu":
        return GsplatEngine(scene, device, dense_draw)
    try:
        gsplat.check()
    except BackendUnavailable as reason:
        pytest.skip(str(reason))
    return GsplatEngine(scene, device)


def view_of(camera: Camera, device: str, *, plain: bool) -> DeviceView:
    rng = np.random.default_rng(42)
    size = (camera.height, camera.width)
    mask = torch.from_numpy((rng.random(size) > 0.3).astype(np.uint8)).to(device)
    colours = torch.from_numpy((np.eye(3, 4) + rng.normal(0, 0.1, (3, 4))).astype(np.float32)).to(device)
    return DeviceView(
        camera=layout.camera_struct(camera),
        rgb=torch.from_numpy(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).to(device),
        mask=None if plain else mask,
        slot=0,
        map=None if plain else colours,
    )


def relative(got: torch.Tensor, want: torch.Tensor) -> float:
    return float((got - want).norm() / want.norm().clamp(min=1e-30))


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "masked, exposed"])
def test_a_step_is_that_of_our_kernels(machine, plain):
    scene, camera = scenes.gaussians(60, seed=71, degree=3), scenes.camera(29, 23)
    view = view_of(camera, machine.device, plain=plain)
    theirs = engine_of(scene, machine.device)
    ours = Engine(
        scene,
        capacity=60,
        views=1,
        pixels_max=29 * 23,
        tiles_max=view.camera.tiles,
        device=machine.device,
        kernels=machine.kernels,
        first_room=1 << 14,
    )
    for step in range(2):
        for engine in (ours, theirs):
            engine.step(view, RATES, degree=3, seed=0, background=(0.2, 0.5, 0.9))
        if step == 0:
            for rows in (layout.MEAN, layout.SCALE, layout.QUAT, layout.OPACITY, layout.SH):
                assert relative(theirs.moments[0][rows], ours.moments[0][rows]) < GRADIENT, rows
    moved = (ours.params - theirs.params).abs()
    assert moved.median() < 1e-4
    seen = ours.stats[1] > 0
    assert (theirs.stats[1] > 0)[seen].float().mean() > 0.9
    if machine.device == "cuda":  # only the kernels sum absolute gradients
        assert relative(theirs.stats[0][seen], ours.stats[0][seen]) < 0.05


def test_the_random_walk_moves_faint_gaussians_only():
    scene = scenes.gaussians(40, seed=5, degree=0)
    scene.opacity_logits[:20] = -7.0
    scene.opacity_logits[20:] = 3.0
    view = view_of(scenes.camera(29, 23), "cpu", plain=True)
    found = []
    for noise in (0.0, 100.0):
        engine = engine_of(scene, "cpu")
        engine.step(view, Rates(mean=0.01, noise=noise), degree=0, seed=1, background=(0.0, 0.0, 0.0))
        found.append(engine.params[layout.MEAN])
    moved = (found[0] - found[1]).abs().amax(0)
    assert (moved[:20] > 0).all()
    assert moved[20:].max() < 1e-6


def dense_kind() -> Kind:
    def begin(setup):
        return CudaBackend(
            setup, lambda start, setup, _photos: GsplatEngine(start, setup.device, dense_draw, views=len(setup.views))
        )

    return Kind(name="gsplat", device=Device.CPU, begin=begin, draw=rasterize)


def small_run(steps: int, name: PresetName, **context) -> Trained:
    posed = photos_of(blobs(30), count=5, width=24, height=16)
    numbers = {"steps": steps, "gaussians_max": 40, "densify_every": 5, "sh_degree": 1}
    preset = resolve_preset(name, Device.CUDA, 5, numbers)
    return Training(posed, preset, TrainContext(**context), [], dense_kind()).finish()


@pytest.mark.slow
@pytest.mark.parametrize("name", [PresetName.PREVIEW, PresetName.STANDARD])
def test_a_run_makes_the_scene_better_and_grows_to_the_cap(name):
    short, whole = small_run(1, name), small_run(60, name)
    assert whole.metrics.psnr_db > short.metrics.psnr_db + 1.0
    assert 30 < len(whole.gaussians) <= 40


@pytest.mark.slow
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted():
    whole = small_run(20, PresetName.STANDARD)
    saved: list[bytes] = []
    with pytest.raises(TrainingCancelled):
        small_run(
            20,
            PresetName.STANDARD,
            on_checkpoint=saved.append,
            checkpoint_every_s=0.0,
            should_stop=lambda: len(saved) == 8,
        )
    resumed = small_run(20, PresetName.STANDARD, resume=saved[-1])
    assert np.array_equal(whole.gaussians.means, resumed.gaussians.means)


@pytest.mark.gpu
@pytest.mark.parametrize("machine", ["cuda"], indirect=True)
def test_pictures_of_both_kernels_are_the_same(machine):
    scene, camera = scenes.gaussians(400, seed=9), scenes.camera(180, 121)
    engine_of(scene, machine.device)
    where = partial(torch.tensor, device="cuda")
    shapes = Shapes(
        where(scene.means),
        where(scene.quats),
        where(scene.log_scales).exp(),
        where(scene.opacity_logits).sigmoid(),
        where(scene.sh),
    )
    background = where([0.2, 0.5, 0.9])
    ours = cuda.rasterize(shapes, camera, background, machine.kernels)
    assert relative(gsplat.rasterize(shapes, camera, background), ours) < 1e-3


@pytest.mark.gpu
def test_a_run_on_gsplats_kernels_is_as_good_as_one_on_ours(monkeypatch):
    posed = photos_of(blobs(150), count=24)
    preset = resolve_preset(PresetName.PREVIEW, Device.CUDA, 24, {"steps": 600, "gaussians_max": 300})
    found = {}
    for name in ("cuda", "gsplat"):
        monkeypatch.setenv("SPLAT_BACKEND", name)
        try:
            choose(Device.CUDA)
        except BackendUnavailable as reason:
            pytest.skip(str(reason))
        found[name] = train(posed, preset, TrainContext(device=Device.CUDA)).metrics.psnr_db
    assert found["gsplat"] > 20
    assert abs(found["gsplat"] - found["cuda"]) < 1.5, found
