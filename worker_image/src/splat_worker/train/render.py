"""A picture of finished Gaussians, for posters, previews and measurements.
No gradients, no training state.
"""

from __future__ import annotations

import numpy as np
import torch

from splat_worker.scene import Camera, Float32, Gaussians
from splat_worker.train.backends import choose
from splat_worker.train.core.backend import Kind, Shapes
from splat_worker.train.core.context import Device


def render(gaussians: Gaussians, camera: Camera, device: Device | str = Device.CPU, *, grey: float = 0.0) -> Float32:
    """(H, W, 3) float32 in 0..1 over black or another grey, by the device's trainer."""
    return picture_of(gaussians, camera, choose(Device(device)), grey=grey)


def picture_of(gaussians: Gaussians, camera: Camera, kind: Kind, *, grey: float = 0.0) -> Float32:
    """(H, W, 3) float32 in 0..1 over black or another grey, by this trainer."""

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(str(kind.device))

    shapes = Shapes(
        means=put(gaussians.means),
        quats=put(gaussians.quats),
        scales=put(gaussians.log_scales).exp(),
        opacities=put(gaussians.opacity_logits).sigmoid(),
        sh=put(gaussians.sh),
    )
    with torch.no_grad():
        picture = kind.draw(shapes, camera, torch.full((3,), grey, device=str(kind.device)))
        return picture.clamp(0.0, 1.0).permute(1, 2, 0).contiguous().cpu().numpy()
