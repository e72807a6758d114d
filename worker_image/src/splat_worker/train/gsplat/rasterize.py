"""Gaussians and a camera to a picture on gsplat's kernels, differentiable.
A thin translation of conventions; gsplat compiles its kernels at their first use.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from splat_worker.scene import SH_ROWS, Camera
from splat_worker.train.core.backend import Shapes
from splat_worker.train.core.context import BackendUnavailable
from splat_worker.train.cuda.layout import CCamera, camera_struct


class Drawn(NamedTuple):
    """picture: (3, H, W); radii_px: (N,) half extent on the picture, 0 where not drawn; centres: (1, N, 2) px, with
    the sums of absolute pixel gradients as `absgrad` after a backward pass."""

    picture: Tensor
    radii_px: Tensor
    centres: Tensor


def check() -> None:
    """Raises BackendUnavailable where gsplat or its kernels cannot be used."""
    try:
        from gsplat.cuda._backend import _C
    except ImportError as error:
        raise BackendUnavailable(
            f"SPLAT_BACKEND is gsplat, but gsplat cannot be loaded ({error}). Install it with "
            "`pip install gsplat==1.5.3`, or unset SPLAT_BACKEND"
        ) from error
    if _C is None or not torch.cuda.is_available():
        raise BackendUnavailable(
            "SPLAT_BACKEND is gsplat, but its kernels need an NVIDIA GPU and a CUDA toolkit with nvcc to compile them. "
            "Set CUDA_HOME to the toolkit, or unset SPLAT_BACKEND"
        )


def drawn(shapes: Shapes, camera: CCamera, background: Tensor) -> Drawn:
    """background: (3,). Gradients reach every tensor of `shapes`."""
    from gsplat import rasterization

    device = shapes.means.device
    pose = torch.eye(4, device=device)
    pose[:3, :3] = torch.tensor(list(camera.r), device=device).reshape(3, 3)
    pose[:3, 3] = torch.tensor(list(camera.t), device=device)
    k = torch.tensor([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]], device=device)
    picture, _, info = rasterization(
        *shapes,
        pose[None],
        k[None],
        camera.width,
        camera.height,
        sh_degree=SH_ROWS.index(shapes.sh.shape[1]),
        packed=False,
        absgrad=True,
        backgrounds=background[None],
    )
    return Drawn(picture[0].permute(2, 0, 1), info["radii"][0].amax(-1).float(), info["means2d"])


def rasterize(shapes: Shapes, camera: Camera, background: Tensor) -> Tensor:
    """(3, H, W) picture."""
    return drawn(shapes, camera_struct(camera), background).picture
