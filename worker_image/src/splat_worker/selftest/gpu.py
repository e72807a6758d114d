"""The GPU's kernels against the CPU's, one by one, on a random scene: picture, gradients, loss, a training step.
For the self-test of a worker that has a GPU.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera, Gaussians
from splat_worker.train.core.backend import Shapes
from splat_worker.train.core.preset import ADAM_DECAYS, SSIM_SHARE
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cpu.loss import photometric_loss, prepare_target
from splat_worker.train.cpu.rasterize import rasterize
from splat_worker.train.cuda import layout
from splat_worker.train.cuda import rasterize as cuda
from splat_worker.train.cuda.arena import Arena, stream_of
from splat_worker.train.cuda.engine import DeviceView, Engine, to_rows
from splat_worker.train.cuda.library import Kernels

RELATIVE_MAX = {"picture": 1e-2, "gradients": 2e-2, "loss": 1e-2, "step": 2e-2}
"""Largest ||gpu - cpu|| / ||cpu|| of each kernel: both are float32, the GPU's with fast mathematics. Seen on the
emulated kernels: 6e-6, 9e-5, 8e-6, 4e-4; a kernel that is wrong is off by a tenth and more."""

RATES = Rates(mean=0.01, scale=0.02, quat=0.03, opacity=0.04, sh0=0.05, sh=0.06)
BACKGROUND = (0.2, 0.5, 0.9)
DEGREE = 3
COUNT = 2000
ROOM = 1 << 18
WIDTH, HEIGHT = 187, 125  # no multiples of a tile

Rasterize = Callable[..., Tensor]


def differences(kernels: Kernels, device: str = "cuda", *, count: int = COUNT) -> dict[str, float]:
    """Relative difference of each entry of the library to the CPU's, by the names of RELATIVE_MAX."""
    scene, camera = _scene(count), _camera()
    slope = torch.from_numpy(np.random.default_rng(2).normal(0, 1, (3, HEIGHT, WIDTH)).astype(np.float32))
    on_gpu = partial(cuda.rasterize, kernels=kernels)
    picture, gradients = _drawn(rasterize, scene, camera, "cpu", lambda image: (image * slope).sum())
    photo = _photo(picture)
    gpu_slope = slope.to(device)
    gpu_picture, gpu_gradients = _drawn(on_gpu, scene, camera, device, lambda image: (image * gpu_slope).sum())
    return {
        "picture": _off(gpu_picture, picture),
        "gradients": max(_off(got, wanted) for got, wanted in zip(gpu_gradients, gradients, strict=True)),
        "loss": _loss_off(kernels, device, camera, picture, photo),
        "step": _step_off(kernels, device, scene, camera, photo),
    }


def too_different(found: dict[str, float]) -> list[str]:
    """A sentence for each kernel that does not compute what the CPU does. NaN counts as different."""
    return [
        f"{name} differs by {found[name]:.1e} of its size; the limit is {most:.0e}"
        for name, most in RELATIVE_MAX.items()
        if not found[name] <= most
    ]


def _drawn(
    draw: Rasterize, scene: Gaussians, camera: Camera, device: str, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The picture, and the loss's gradients by means, log scales, quats, opacity logits, harmonics."""
    leaves = tuple(
        torch.tensor(array, device=device, requires_grad=True)
        for array in (scene.means, scene.log_scales, scene.quats, scene.opacity_logits, scene.sh)
    )
    means, log_scales, quats, logits, sh = leaves
    background = torch.tensor(BACKGROUND, device=device)
    image = draw(Shapes(means, quats, log_scales.exp(), logits.sigmoid(), sh), camera, background)
    gradients = torch.autograd.grad(loss(image), leaves)
    return image.detach(), gradients


def _loss_off(kernels: Kernels, device: str, camera: Camera, picture: Tensor, photo: np.ndarray) -> float:
    """Loss and its gradient by pixel, of the CPU's picture on both devices."""
    image = picture.clone().requires_grad_()
    wanted, _ = _cpu_loss(image, photo)
    (slope,) = torch.autograd.grad(wanted, image)
    c = layout.camera_struct(camera)
    arena = Arena(
        kernels=kernels, device=device, capacity=1, pixels=WIDTH * HEIGHT, tiles=c.tiles, instances=1, training=False
    )
    arena.picture("image", WIDTH, HEIGHT).copy_(picture)
    rgb = torch.from_numpy(photo).to(device)
    c_photo = layout.CPhoto(rgb=rgb.data_ptr(), mask=None, map=None)
    kernels.loss(ctypes.byref(arena.struct), ctypes.byref(c), ctypes.byref(c_photo), SSIM_SHARE, stream_of(device))
    l1, ssim = (arena["loss_sums"].cpu() / (3 * WIDTH * HEIGHT)).tolist()
    got = (1 - SSIM_SHARE) * l1 + SSIM_SHARE * (1 - ssim)
    return max(
        _off(arena.picture("image_grad", WIDTH, HEIGHT), slope), _off(torch.tensor(got), wanted.detach().float())
    )


def _step_off(kernels: Kernels, device: str, scene: Gaussians, camera: Camera, photo: np.ndarray) -> float:
    """One whole step: its gradient against the CPU's, and the move against Adam's rule for that gradient."""
    c = layout.camera_struct(camera)
    engine = Engine(
        scene,
        capacity=len(scene),
        views=1,
        pixels_max=WIDTH * HEIGHT,
        tiles_max=c.tiles,
        device=device,
        kernels=kernels,
        first_room=ROOM,
    )
    view = DeviceView(camera=c, rgb=torch.from_numpy(photo).to(device), mask=None, slot=0)
    engine.step(view, RATES, degree=DEGREE, background=BACKGROUND)
    gradient = engine.moments[0].cpu() / (1 - ADAM_DECAYS[0])  # of the first step, all that the moment holds
    _, wanted = _drawn(rasterize, scene, camera, "cpu", lambda image: _cpu_loss(image, photo)[0])
    means, log_scales, quats, logits, sh = wanted
    rows = ((layout.MEAN, means.T), (layout.SCALE, log_scales.T), (layout.QUAT, quats.T))
    gradient_off = [_off(gradient[where], one) for where, one in rows]
    gradient_off.append(_off(gradient[layout.OPACITY], logits))
    gradient_off.append(_off(gradient[layout.SH], sh.flatten(1).T))
    rates = torch.tensor([RATES.mean] * 3 + [RATES.scale] * 3 + [RATES.quat] * 4 + [RATES.opacity] + [RATES.sh0] * 3)
    rates = torch.cat([rates, torch.full((layout.ROWS - len(rates),), RATES.sh)])[:, None]
    moved = engine.params.cpu() - to_rows(scene, "cpu")
    return max(*gradient_off, _off(moved, -rates * gradient.sign()))


def _cpu_loss(image: Tensor, photo: np.ndarray) -> tuple[Tensor, Tensor]:
    target = prepare_target(photo.astype(np.float32) / 255, None)
    return photometric_loss(image, target, torch.eye(3, 4))


def _off(got: Tensor, wanted: Tensor) -> float:
    got, wanted = got.detach().cpu().double(), wanted.detach().cpu().double()
    return float((got - wanted).norm() / wanted.norm().clamp_min(1e-30))


def _scene(count: int) -> Gaussians:
    rng = np.random.default_rng(0)

    def normal(mean: float, deviation: float, *shape: int) -> np.ndarray:
        return rng.normal(mean, deviation, shape).astype(np.float32)

    return Gaussians(
        means=normal(0, 0.6, count, 3) + np.float32([0, 0, 3]),
        log_scales=rng.uniform(-4.5, -2.5, (count, 3)).astype(np.float32),
        quats=normal(0, 1, count, 4),
        opacity_logits=normal(0, 2, count),
        sh=normal(0, 0.3, count, (DEGREE + 1) ** 2, 3),
    )


def _camera() -> Camera:
    k = np.array([[200.0, 0, 0.48 * WIDTH], [0, 205.0, 0.53 * HEIGHT], [0, 0, 1]])
    return Camera(world_to_camera=np.eye(4), k=k, width=WIDTH, height=HEIGHT)


def _photo(picture: Tensor) -> np.ndarray:
    """(H, W, 3) uint8, nowhere near `picture`: where both are equal the absolute error has a corner, and rounding
    alone decides to which side a gradient falls."""
    noise = np.random.default_rng(1).integers(0, 51, (HEIGHT, WIDTH, 3))
    dark = picture.permute(1, 2, 0).numpy() < 0.5
    return np.where(dark, 255 - noise, noise).astype(np.uint8)
