"""The CUDA side of the seam: gsplat's kernels behind the same conventions as the CPU's.
Nothing but the call and its trace; imported only where the tensors are on a GPU.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from splat_worker.scene import Camera


def rasterize_cuda(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    background: Tensor,
    trace: Any,
) -> Tensor:
    """See rasterize.rasterize. Returns (3, H, W)."""
    from gsplat.rendering import rasterization

    pose = torch.tensor(camera.world_to_camera, dtype=torch.float32, device=means.device)[None]
    k = torch.tensor(camera.k, dtype=torch.float32, device=means.device)[None]
    picture, _, info = rasterization(
        means,
        quats,
        scales,
        opacities,
        sh,
        pose,
        k,
        camera.width,
        camera.height,
        near_plane=0.01,
        sh_degree=math.isqrt(sh.shape[1]) - 1,
        packed=False,
        backgrounds=background[None],
    )
    trace.radii_px = info["radii"][0].amax(dim=-1).float()
    projected = info["means2d"]
    if projected.requires_grad:

        def keep(grad: Tensor) -> None:
            trace.grad_px = grad[0]
            # gsplat does not sum weights times errors; the gradient's size on the image stands in for it
            trace.share = grad[0].norm(dim=-1)

        projected.register_hook(keep)
    return picture[0].permute(2, 0, 1)
