"""A picture of finished Gaussians, for posters, previews and measuring what an export loses.
No gradients, no training state.
"""

from __future__ import annotations

import numpy as np
import torch

from splat_worker.scene import Camera, Float32, Gaussians
from splat_worker.train.context import Device
from splat_worker.train.rasterize import rasterize

BACKGROUND = (0.0, 0.0, 0.0)


def render(gaussians: Gaussians, camera: Camera, device: Device | str = Device.CPU) -> Float32:
    """(H, W, 3) float32 in 0..1 over black."""
    where = str(Device(device))

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(where)

    with torch.no_grad():
        picture = rasterize(
            put(gaussians.means),
            put(gaussians.quats),
            put(gaussians.log_scales).exp(),
            put(gaussians.opacity_logits).sigmoid(),
            put(gaussians.sh),
            camera,
            torch.tensor(BACKGROUND, device=where),
        )
        return picture.clamp(0.0, 1.0).permute(1, 2, 0).contiguous().cpu().numpy()
