"""Gaussians and a camera to a picture on our kernels, differentiable: for finished scenes and the self-test.
Training does not use it: engine.py runs whole steps without autograd.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from splat_worker.scene import SH_ROWS, Camera
from splat_worker.train.core.backend import Shapes
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import Arena, free_bytes, stream_of
from splat_worker.train.cuda.engine import FIRST_ROOM
from splat_worker.train.cuda.library import Kernels, load
from splat_worker.train.cuda.memory import instances_max


def rasterize(shapes: Shapes, camera: Camera, background: Tensor, kernels: Kernels | None = None) -> Tensor:
    """(3, H, W) picture. background: (3,). Gradients reach every tensor of `shapes`."""
    means, quats, scales, opacities, sh = shapes
    columns = torch.cat(
        [
            means.T,
            scales.clamp_min(1e-12).log().T,
            quats.T,
            torch.logit(opacities, eps=1e-7)[None],
            sh.flatten(1).T,
        ]
    )
    picture: Tensor = _Rasterize.apply(columns, camera, background, kernels or load(), SH_ROWS.index(sh.shape[1]))
    return picture


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  (autograd passes by position)
        ctx: Any, columns: Tensor, camera: Camera, background: Tensor, kernels: Kernels, degree: int
    ) -> Tensor:
        count, device = columns.shape[1], columns.device.type
        c = layout.camera_struct(camera)
        arena = Arena(
            kernels=kernels, device=device, capacity=count, pixels=c.width * c.height, tiles=c.tiles,
            instances=FIRST_ROOM if device != "cpu" else 1 << 16, training=False, gradients=True,
            instances_max=instances_max(free_bytes(device), gaussians=count, pixels=c.width * c.height, tiles=c.tiles),
        )  # fmt: skip
        arena["params"][: len(columns)] = columns
        room = arena.render(c, count, degree=degree, background=background.tolist(), train=True)
        ctx.saved = (arena, c, count, room, degree, kernels, len(columns))
        return arena.picture("image", c.width, c.height).clone()

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        arena, c, count, room, degree, kernels, rows = ctx.saved
        arena.picture("image_grad", c.width, c.height).copy_(slopes)
        arena.picture("errors", c.width, c.height).zero_()
        stream = stream_of(slopes.device.type)
        kernels.gradients(ctypes.byref(arena.struct), ctypes.byref(c), count, room, degree, stream)
        return arena["grads"][:rows].clone(), None, None, None, None
