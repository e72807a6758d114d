"""The seam between the two devices: Gaussians and a camera to a picture, differentiable.
Everything before it (activations) and after it (loss, densification, export) is shared; nothing here trains.

`cpu` runs the numba kernels of `cpu/`, `cuda` gsplat's kernels. Both follow the same conventions: OpenCV axes,
pixel centres at .5, 0.3 px^2 blur, contributions below 1/255 dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera
from splat_worker.train.runtime import settle_threads
from splat_worker.train.trace import Trace

LANES = 16  # rows of CPU pictures are padded to a multiple of it


def rasterize(  # noqa: PLR0917  (the seam both devices agreed on)
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    background: Tensor,
    trace: Trace | None = None,
) -> Tensor:
    """Renders Gaussians.

    means: (N, 3) scene units; quats: (N, 4) w, x, y, z, any length; scales: (N, 3); opacities: (N,) 0..1;
    sh: (N, K, 3); background: (3,). All float32 on one device. Returns (3, H, W); on the CPU its rows may be
    strided. Gradients reach every tensor but the background.
    """
    trace = trace if trace is not None else Trace()
    if means.device.type == "cuda":
        from splat_worker.train.cuda.rasterize import rasterize_cuda

        return rasterize_cuda(means, quats, scales, opacities, sh, camera, background, trace)
    padded = _CpuRasterize.apply(means, quats, scales, opacities, sh, camera, background, trace)
    return padded[:, :, : camera.width]


class _CpuRasterize(torch.autograd.Function):
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
        from splat_worker.train.cpu import kernels

        arrays = [_array(t) for t in (means, quats, scales, opacities, sh)]
        pose = _pose(camera)
        threads = settle_threads()
        image, order, packed, *lists = kernels.draw(
            *arrays, *pose, camera.width, camera.height, _array(background), threads
        )
        trace.radii_px = torch.from_numpy(kernels.radii_px(order, packed, len(arrays[0])))
        ctx.saved = (arrays, pose, camera, image, order, packed, lists, threads)
        ctx.trace = trace
        return torch.from_numpy(image)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        from splat_worker.train.cpu import kernels

        (means, quats, scales, _opacities, sh), pose, camera, image, order, packed, lists, threads = ctx.saved
        errors = np.zeros(image.shape[1:], np.float32)
        if ctx.trace.errors is not None:
            errors[:, : camera.width] = ctx.trace.errors.numpy()
        *grads, grad_px, share = kernels.pull_back(
            means,
            quats,
            scales,
            sh,
            *pose,
            camera.width,
            camera.height,
            image,
            _array(slopes),
            errors,
            order,
            packed,
            *lists,
            threads,
        )
        ctx.trace.grad_px, ctx.trace.share = torch.from_numpy(grad_px), torch.from_numpy(share)
        return (*(torch.from_numpy(g) for g in grads), None, None, None)


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def _pose(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """view (12,), k (4,), eye (3,) as the kernels take them."""
    view = np.concatenate([camera.world_to_camera[:3, :3].ravel(), camera.world_to_camera[:3, 3]])
    k = camera.k
    return (
        view.astype(np.float32),
        np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]], np.float32),
        camera.centre.astype(np.float32),
    )
