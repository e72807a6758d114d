"""The kernels against the dense float64 reference: picture, every gradient, loss, one Adam step.
Each case runs emulated on the CPU and, marked gpu, on the real device.

Tolerances are relative errors ||a - b|| / ||b||; seen in float32: 2e-6 (pictures), 3e-6 (gradients), emulated.
A GPU with fast-math may be a hundred times worse and pass.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest
import torch

from splat_worker.train.core.preset import ADAM_DECAYS
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import Arena, stream_of
from splat_worker.train.cuda.engine import DeviceView, Engine, from_rows, to_rows
from tests.unit.splat_worker.train.cuda import reference, scenes

BACKGROUND = (0.2, 0.5, 0.9)
PICTURE, GRADIENT = 2e-4, 1e-3


def off(got, want) -> float:
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert np.isfinite(got).all()
    return float(np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30))


class Drawn:
    """One scene drawn by the kernels, and its gradients for a given loss by pixel."""

    def __init__(self, machine, scene, camera, degree, slope=None, *, errors=None, room=1 << 14):
        self.n = len(scene)
        self.c = layout.camera_struct(camera)
        self.arena = Arena(
            kernels=machine.kernels,
            device=machine.device,
            capacity=self.n + 3,
            pixels=self.c.width * self.c.height,
            tiles=self.c.tiles,
            instances=room,
            training=False,
            gradients=True,
        )
        self.arena["params"][:, : self.n] = to_rows(scene, machine.device)
        colour, stream = (ctypes.c_float * 3)(*BACKGROUND), stream_of(machine.device)
        struct = self.arena.struct
        machine.kernels.render(ctypes.byref(struct), ctypes.byref(self.c), self.n, room, degree, colour, 1, stream)
        self.image = self.arena.picture("image", self.c.width, self.c.height).cpu().numpy()
        if slope is not None:
            self.arena.picture("image_grad", self.c.width, self.c.height).copy_(torch.from_numpy(slope))
            if errors is not None:
                self.arena.picture("errors", self.c.width, self.c.height)[0] = torch.from_numpy(errors).to(
                    machine.device
                )
            machine.kernels.gradients(ctypes.byref(struct), ctypes.byref(self.c), self.n, room, degree, stream)
            self.grads = self.arena["grads"][:, : self.n].cpu().numpy()


def slopes(camera, seed):
    return np.random.default_rng(seed).normal(0, 1, (3, camera.height, camera.width)).astype(np.float32)


CASES = {
    "small Gaussians, full harmonics": (dict(count=150, seed=1), dict()),
    "large Gaussians that cover many tiles": (dict(count=40, seed=2, size=0.8), dict(width=70, height=61)),
    "hundreds of opaque layers in a tile": (
        dict(count=400, seed=3, spread=0.25, size=0.15),
        dict(width=16, height=16),
    ),
    "a camera among the Gaussians": (dict(count=150, seed=4, spread=2.0), dict(back=0.3, turn=0.7)),
    "constant colour only": (dict(count=100, seed=5, degree=0), dict()),
    "one pixel more than a tile": (dict(count=60, seed=6), dict(width=9, height=17)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_picture_and_all_its_gradients_match_the_reference(machine, case):
    scene_options, camera_options = CASES[case]
    scene, camera = scenes.gaussians(**scene_options), scenes.camera(**camera_options)
    slope = slopes(camera, 7)
    errors = np.abs(slope[0])
    drawn = Drawn(machine, scene, camera, scene.sh_degree, slope, errors=errors)

    leaf = reference.leaves(scene)
    image, centre, weights = reference.render(leaf, camera, torch.tensor(BACKGROUND, dtype=torch.float64))
    (image * torch.tensor(slope, dtype=torch.float64)).sum().backward()

    assert off(drawn.image, image.detach()) < PICTURE
    n = len(scene)
    got = {
        "means": drawn.grads[layout.MEAN].T,
        "log_scales": drawn.grads[layout.SCALE].T,
        "quats": drawn.grads[layout.QUAT].T,
        "opacity_logits": drawn.grads[layout.OPACITY],
        "sh": drawn.grads[layout.SH][: 3 * scene.sh.shape[1]].T.reshape(n, -1, 3),
    }
    worst = {name: off(got[name], leaf[name].grad) for name in got}
    worst["centre"] = off(drawn.grads[layout.ROWS : layout.ROWS + 2].T, centre.grad)
    worst["share"] = off(drawn.grads[layout.ROWS + 2], (weights.detach() * torch.tensor(errors)).sum((1, 2)))
    assert max(worst.values()) < GRADIENT, worst


def test_a_gradient_is_the_slope_of_the_drawn_picture(machine):
    """Finite differences of the kernels themselves: no reference can share a mistake with them here.

    The Gaussians are faint and larger than the picture, so that none of the cut-offs (which have no slope) lies in it.
    """
    scene, camera = scenes.gaussians(10, seed=11, size=2.5, spread=0.6), scenes.camera(24, 20)
    scene = replace(scene, opacity_logits=np.full(len(scene), -1.0, np.float32))
    slope = slopes(camera, 12)
    grads = Drawn(machine, scene, camera, 3, slope).grads
    base = to_rows(scene, "cpu").numpy()
    rng = np.random.default_rng(13)
    drawn_rows = [0, 1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 20, 40]
    step = 2e-3
    for row in drawn_rows:
        direction = np.zeros_like(base)
        direction[row] = rng.choice([-1.0, 1.0], base.shape[1])
        values = []
        for sign in (1, -1):
            moved = from_rows(torch.from_numpy(base + sign * step * direction), 3)
            values.append(float((Drawn(machine, moved, camera, 3).image.astype(np.float64) * slope).sum()))
        numeric = (values[0] - values[1]) / (2 * step)
        exact = float((grads[: layout.ROWS] * direction).sum())
        scale = float(np.abs(grads[row]).sum())
        assert abs(numeric - exact) < 0.03 * scale, (row, numeric, exact, scale)


def test_too_little_room_drops_the_farthest_and_nothing_else(machine):
    scene, camera = scenes.gaussians(200, seed=21), scenes.camera()
    whole = Drawn(machine, scene, camera, 3)
    wanted = int(whole.arena["offsets"][whole.n - 1])
    order = whole.arena["order"][: whole.n].cpu().numpy()
    ends = whole.arena["offsets"][: whole.n].cpu().numpy()
    room = wanted // 2
    cut = Drawn(machine, scene, camera, 3, room=room)
    near = scene.select(np.sort(order[ends <= room]).astype(np.int64))
    split = int((ends <= room).sum())  # the first Gaussian that does not fit whole is drawn in part: leave it out
    alone = Drawn(machine, near, camera, 3)
    differs = np.abs(cut.image - alone.image).max(0) > 1e-5
    assert split > 0
    partial = scene.select(np.array([order[split]], np.int64))
    reach = Drawn(machine, partial, camera, 3)
    touched = np.abs(reach.image - np.array(BACKGROUND)[:, None, None]).max(0) > 1e-6
    assert not (differs & ~touched).any()


@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_and_its_gradient_match_the_reference(machine, masked):
    camera = scenes.camera(53, 41)
    rng = np.random.default_rng(31)
    rgb = rng.integers(0, 256, (41, 53, 3), dtype=np.uint8)
    mask = rng.random((41, 53)) > 0.3 if masked else None
    drawn = Drawn(machine, scenes.gaussians(80, seed=32), camera, 3)
    a = drawn.arena
    to = lambda array: torch.from_numpy(array).to(machine.device)  # noqa: E731
    photo, mask_bytes = to(rgb), None if mask is None else to(mask.astype(np.uint8))
    c_photo = layout.CPhoto(rgb=photo.data_ptr(), mask=None if mask_bytes is None else mask_bytes.data_ptr())
    machine.kernels.loss(
        ctypes.byref(a.struct), ctypes.byref(drawn.c), ctypes.byref(c_photo), 0.2, stream_of(machine.device)
    )
    image = torch.tensor(drawn.image, dtype=torch.float64, requires_grad=True)
    truth = torch.tensor(rgb.transpose(2, 0, 1) / 255.0)
    loss, l1, ssim = reference.loss(image, truth, None if mask is None else torch.tensor(mask), 0.2)
    loss.backward()
    assert off(a.picture("image_grad", 53, 41).cpu(), image.grad) < 1e-4
    assert off(a["loss_sums"].cpu(), torch.stack([l1, ssim]).detach()) < 1e-5
    want = (image.detach() - truth).abs().mean(0)
    assert off(a.picture("errors", 53, 41)[0].cpu(), want if mask is None else want * torch.tensor(mask)) < 1e-5


def test_a_step_is_adam_on_the_reference_gradient(machine):
    scene, camera = scenes.gaussians(90, seed=41), scenes.camera()
    rgb = np.random.default_rng(42).integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)
    c = layout.camera_struct(camera)
    engine = Engine(
        scene,
        capacity=100,
        views=1,
        pixels_max=c.width * c.height,
        tiles_max=c.tiles,
        device=machine.device,
        kernels=machine.kernels,
        first_room=1 << 14,
    )
    view = DeviceView(camera=c, rgb=torch.from_numpy(rgb).to(machine.device), mask=None, slot=0)
    rates = Rates(mean=0.01, scale=0.02, quat=0.03, opacity=0.04, sh0=0.05, sh=0.06)

    leaf = reference.leaves(scene)
    order = ("means", "log_scales", "quats", "opacity_logits", "sh")
    adam = torch.optim.Adam(
        [dict(params=[leaf[n]], lr=lr) for n, lr in zip(order, (0.01, 0.02, 0.03, 0.04), strict=False)]
        + [dict(params=[leaf["sh"]], lr=0.05)],
        eps=1e-15,
    )
    truth = torch.tensor(rgb.transpose(2, 0, 1) / 255.0)
    for step in range(3):
        engine.step(view, rates, degree=3)
        adam.zero_grad()
        image, _, _ = reference.render(leaf, camera, torch.zeros(3, dtype=torch.float64))
        reference.loss(image, truth, None, 0.2)[0].backward()
        before = leaf["sh"].detach().clone()
        adam.step()
        with torch.no_grad():  # the rate of the higher harmonics is another
            leaf["sh"][:, 1:] = before[:, 1:] + (leaf["sh"][:, 1:] - before[:, 1:]) * (0.06 / 0.05)
        if step == 0:
            first = engine.params.cpu().numpy().copy()
            want = leaf["means"].detach().numpy().copy()
            # Adam's first step is a sign: only where the gradient is clearly not zero can two programs agree.
            clear = np.abs(leaf["means"].grad.numpy()) > 1e-7
            assert np.abs(first[layout.MEAN].T - want)[clear].max() < 2e-4
    got = engine.gaussians(3)
    for name in order:
        moved = leaf[name].detach().numpy()
        gap = np.abs(getattr(got, name) - moved)
        start = np.abs(moved - getattr(scene, name))
        assert np.median(gap) < 0.02 * np.median(start[start > 0]), name
    assert engine.stats[1].max() == 3
    seen = engine.stats[1] > 0
    assert (engine.stats[2][seen] >= 0).all()
    assert engine.stats[3].max() > 0


def test_a_photo_is_compared_through_its_exposure(machine):
    """Loss and gradients go through the photo's colour map; the scene's own colours stay unmapped."""
    scene, camera = scenes.gaussians(60, seed=61), scenes.camera(29, 23)
    rng = np.random.default_rng(62)
    rgb = rng.integers(0, 256, (23, 29, 3), dtype=np.uint8)
    c = layout.camera_struct(camera)
    engine = Engine(
        scene,
        capacity=60,
        views=1,
        pixels_max=c.width * c.height,
        tiles_max=c.tiles,
        device=machine.device,
        kernels=machine.kernels,
        first_room=1 << 14,
    )
    colours = (np.eye(3, 4) + rng.normal(0, 0.1, (3, 4))).astype(np.float32)
    to = lambda array: torch.from_numpy(array).to(machine.device)  # noqa: E731
    view = DeviceView(camera=c, rgb=to(rgb), mask=None, slot=0, map=to(colours))
    engine.step(view, Rates(mean=0.01, sh0=0.05), degree=3)

    leaf = reference.leaves(scene)
    image, _, _ = reference.render(leaf, camera, torch.zeros(3, dtype=torch.float64))
    seen = (
        torch.einsum("ij,jhw->ihw", torch.tensor(colours[:, :3]).double(), image)
        + torch.tensor(colours)[:, 3, None, None]
    )
    reference.loss(seen, torch.tensor(rgb.transpose(2, 0, 1) / 255.0), None, 0.2)[0].backward()

    gradient = engine.moments[0].cpu().numpy() / (1 - ADAM_DECAYS[0])  # after one step: the gradient itself
    assert off(gradient[layout.MEAN].T, leaf["means"].grad) < GRADIENT
    assert off(gradient[layout.OPACITY], leaf["opacity_logits"].grad) < GRADIENT
    assert off(gradient[layout.SH].T.reshape(60, -1, 3), leaf["sh"].grad) < GRADIENT


def test_steps_lower_the_loss(machine):
    truth, camera = scenes.gaussians(20, seed=51, size=0.4), scenes.camera(24, 20)
    target = np.clip(Drawn(machine, truth, camera, 3).image, 0, 1)
    rgb = np.ascontiguousarray((target.transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8))
    c = layout.camera_struct(camera)
    start = scenes.gaussians(20, seed=52, size=0.4)
    engine = Engine(
        start,
        capacity=24,
        views=1,
        pixels_max=c.width * c.height,
        tiles_max=c.tiles,
        device=machine.device,
        kernels=machine.kernels,
        first_room=1 << 14,
    )
    view = DeviceView(camera=c, rgb=torch.from_numpy(rgb).to(machine.device), mask=None, slot=0)
    sums = []
    for _ in range(3):
        for _ in range(8):
            engine.step(view, Rates(mean=0.02, scale=0.02, sh0=0.02), degree=3, background=BACKGROUND)
        sums.append(engine.loss_sums()[0, 0])
    assert sums[1] < 0.9 * sums[0], sums
    assert sums[2] < 0.9 * sums[1], sums
