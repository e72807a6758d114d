"""The differentiable `rasterize` of the seam on our kernels, for callers that bring their own loss.
Training itself does not come here: engine.py runs whole steps without autograd.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from splat_worker.scene import SH_ROWS, Camera
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import Arena
from splat_worker.train.cuda.engine import FIRST_ROOM, stream_of
from splat_worker.train.cuda.library import Kernels, load
from splat_worker.train.trace import Trace


def rasterize_native(  # noqa: PLR0917  (the seam both devices agreed on)
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    background: Tensor,
    trace: Trace,
    kernels: Kernels | None = None,
) -> Tensor:
    """As splat_worker.train.rasterize.rasterize."""
    kernels = kernels or load()
    columns = torch.cat(
        [
            means.T,
            scales.clamp_min(1e-12).log().T,
            quats.T,
            torch.logit(opacities, eps=1e-7)[None],
            sh.flatten(1).T,
        ]
    )
    return _Rasterize.apply(columns, camera, background, trace, kernels, SH_ROWS.index(sh.shape[1]))


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0917  (autograd passes by position)
        ctx: Any,
        columns: Tensor,
        camera: Camera,
        background: Tensor,
        trace: Trace,
        kernels: Kernels,
        degree: int,
    ) -> Tensor:
        count, device = columns.shape[1], columns.device.type
        c = layout.camera_struct(camera)
        arena = Arena(
            kernels=kernels, device=device, capacity=count, pixels=c.width * c.height, tiles=c.tiles,
            instances=FIRST_ROOM if device != "cpu" else 1 << 16, training=False, gradients=True,
        )  # fmt: skip
        arena["params"][: len(columns)] = columns
        colour = (ctypes.c_float * 3)(*background.tolist())
        while True:
            room = arena.instances
            struct = arena.struct()
            kernels.render(ctypes.byref(struct), ctypes.byref(c), count, room, degree, colour, 1, stream_of(device))
            wanted = int(arena["offsets"][count - 1])
            if wanted <= room:
                break
            arena.make_room(wanted)
        hit = arena["tiles_hit"] > 0
        trace.radii_px = torch.where(hit, arena["splats"][:, 9], torch.zeros((), device=columns.device))
        ctx.saved = (arena, c, count, room, degree, trace, kernels, len(columns))
        return arena.picture("image", c.width, c.height).clone()

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        arena, c, count, room, degree, trace, kernels, rows = ctx.saved
        arena.picture("image_grad", c.width, c.height).copy_(slopes)
        errors = arena.picture("errors", c.width, c.height)
        if trace.errors is None:
            errors.zero_()
        else:
            errors[0] = trace.errors
        kernels.gradients(
            ctypes.byref(arena.struct()), ctypes.byref(c), count, room, degree, stream_of(slopes.device.type)
        )
        grads = arena["grads"]
        trace.grad_px = grads[layout.ROWS : layout.ROWS + 2].T
        trace.share = grads[layout.ROWS + 2]
        return grads[:rows].clone(), None, None, None, None, None
