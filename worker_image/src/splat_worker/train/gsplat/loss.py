"""The photometric loss of one photo in torch's operations: L1 and SSIM after the photo's own affine colour.
The formula that the kernels of the other trainers implement; the tests compare them with it.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from splat_worker.train.core.preset import SSIM_SHARE

_WINDOW_PX, _SIGMA_PX = 11, 1.5
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
    stacked = torch.stack([a, b, a * a, b * b, a * b])
    taps = _taps(a.device, a.dtype)
    flat = stacked.reshape(-1, 1, *a.shape[1:])
    flat = F.conv2d(flat, taps.view(1, 1, 1, -1), padding=(0, _WINDOW_PX // 2))
    flat = F.conv2d(flat, taps.view(1, 1, -1, 1), padding=(_WINDOW_PX // 2, 0))
    ma, mb, aa, bb, ab = flat.reshape(stacked.shape)
    numerator = (2 * ma * mb + _C1) * (2 * (ab - ma * mb) + _C2)
    return numerator / ((ma * ma + mb * mb + _C1) * (aa - ma * ma + bb - mb * mb + _C2))


@lru_cache(maxsize=8)
def _taps(device: torch.device, dtype: torch.dtype) -> Tensor:
    x = torch.arange(_WINDOW_PX, device=device, dtype=dtype) - _WINDOW_PX // 2
    taps = torch.exp(-0.5 * (x / _SIGMA_PX) ** 2)
    return taps / taps.sum()
