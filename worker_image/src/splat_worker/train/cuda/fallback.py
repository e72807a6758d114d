"""The same picture from gsplat's kernels, for a machine without ours.
A thin translation of conventions; gsplat compiles its kernels at first use unless the image carries them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.scene import SH_ROWS, Camera
from splat_worker.train.trace import Trace


def rasterize_gsplat(  # noqa: PLR0917  (the seam both devices agreed on)
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    background: Tensor,
    trace: Trace,
) -> Tensor:
    """As splat_worker.train.rasterize.rasterize. Error shares are not known to gsplat: trace.share is zero."""
    from gsplat import rasterization

    device = means.device
    pose = torch.tensor(camera.world_to_camera, dtype=torch.float32, device=device)[None]
    k = torch.tensor(camera.k, dtype=torch.float32, device=device)[None]
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
        sh_degree=SH_ROWS.index(sh.shape[1]),
        packed=False,
        backgrounds=background[None],
    )
    trace.radii_px = info["radii"][0].amax(-1).float()
    centres = info["means2d"]
    if centres.requires_grad:
        trace.share = torch.zeros(len(means), device=device)

        def keep(grad: Tensor) -> None:
            trace.grad_px = grad[0].detach()

        centres.register_hook(keep)
    return picture[0].permute(2, 0, 1)
