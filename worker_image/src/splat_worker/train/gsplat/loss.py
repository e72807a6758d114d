"""The photometric loss of one photo in torch's operations: L1 and SSIM after the photo's own affine colour.
The formula that the kernels of the other trainers implement; the tests compare them with it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from splat_worker.blur import blurred, gaussian_taps
from splat_worker.train.core.preset import SSIM_SHARE

_REACH_PX = 5
_WINDOW = gaussian_taps(1.5, _REACH_PX)
_C1, _C2 = 0.01**2, 0.03**2


def photometric_loss(
    image: Tensor, photo: Tensor, affine: Tensor | None = None, valid: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Loss of one rendering.

    image, photo: (3, H, W); affine: (3, 4), affine[:, :3] @ image + affine[:, 3] is compared; valid: (H, W) bool.
    Returns the loss (scalar) and the error: (H, W), mean absolute difference, detached.
    """
    seen = image
    if affine is not None:
        seen = torch.einsum("ij,jhw->ihw", affine[:, :3], image) + affine[:, 3, None, None]
    if valid is not None:
        seen = torch.where(valid, seen, photo)
    off = (seen - photo).abs()
    similar = ssim_map(seen, photo)
    if valid is not None:
        similar = torch.where(valid, similar, torch.ones_like(similar))
    loss = (1 - SSIM_SHARE) * off.mean() + SSIM_SHARE * (1 - similar.mean())
    return loss, off.detach().mean(0)


def ssim_map(a: Tensor, b: Tensor) -> Tensor:
    """SSIM per value of two (3, H, W) pictures, 11-tap window, zero outside."""
    ma, mb, aa, bb, ab = (blurred(F.pad(part, [_REACH_PX] * 4), _WINDOW) for part in (a, b, a * a, b * b, a * b))
    numerator = (2 * ma * mb + _C1) * (2 * (ab - ma * mb) + _C2)
    return numerator / ((ma * ma + mb * mb + _C1) * (aa - ma * ma + bb - mb * mb + _C2))
