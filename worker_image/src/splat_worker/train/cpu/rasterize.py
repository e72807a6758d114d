"""Gaussians and a camera to a picture on the CPU, differentiable.
torch's side of the kernels in kernels/draw.py. Every trainer's rasteriser follows the same conventions: OpenCV axes,
pixel centres at .5, 0.3 px^2 blur, contributions below 1/255 dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera
from splat_worker.train.core.backend import Shapes
from splat_worker.train.cpu.kernels import draw as kernels
from splat_worker.train.cpu.kernels.projection import Lens, Scene
from splat_worker.train.cpu.trace import Trace
from splat_worker.train.runtime import settle_threads


def rasterize(shapes: Shapes, camera: Camera, background: Tensor, trace: Trace | None = None) -> Tensor:
    """(3, H, W) picture, rows possibly strided. background: (3,). Gradients reach every tensor of `shapes`."""
    padded = _Rasterize.apply(*shapes, camera, background, trace if trace is not None else Trace())
    picture: Tensor = padded[:, :, : camera.width]
    return picture


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  (autograd passes by position)
        ctx: Any,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        sh: Tensor,
        camera: Camera,
        background: Tensor,
        trace: Trace,
    ) -> Tensor:
        scene = Scene(*(_array(t) for t in (means, quats, scales, opacities, sh)))
        lens, threads = _lens(camera), settle_threads()
        drawing = kernels.draw(scene, lens, _array(background), threads)
        trace.radii_px = torch.from_numpy(kernels.radii_px(drawing.order, drawing.packed, len(scene.means)))
        ctx.saved = (scene, lens, drawing, threads)
        ctx.trace = trace
        return torch.from_numpy(drawing.image)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        scene, lens, drawing, threads = ctx.saved
        errors = np.zeros(drawing.image.shape[1:], np.float32)
        if ctx.trace.errors is not None:
            errors[:, : lens.width] = ctx.trace.errors.numpy()
        found = kernels.pull_back(scene, lens, drawing, _array(slopes), errors, threads)
        *grads, ctx.trace.grad_px, ctx.trace.share = (torch.from_numpy(array) for array in found)
        return (*grads, None, None, None)


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _lens(camera: Camera) -> Lens:
    pose = np.concatenate([camera.world_to_camera[:3, :3].ravel(), camera.world_to_camera[:3, 3]])
    k = camera.k
    return Lens(
        pose=pose.astype(np.float32),
        k=np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]], np.float32),
        eye=camera.centre.astype(np.float32),
        width=camera.width,
        height=camera.height,
    )
