"""The photometric loss of one photo: L1 and SSIM after the photo's own affine colour.
Shared by both devices: one formula, as torch operations on CUDA and as numba sweeps on the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from splat_worker.train.rasterize import LANES
from splat_worker.train.runtime import settle_threads

SSIM_SHARE = 0.2
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


@dataclass(frozen=True, kw_only=True)
class Target:
    """A photo prepared for the loss on one device.

    image: (3, H, W) float32 0..1; valid: (H, W) bool or None. On the CPU `padded` holds what its sweeps take.
    """

    image: Tensor
    valid: Tensor | None
    padded: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


def prepare_target(image: np.ndarray, mask: np.ndarray | None, device: str) -> Target:
    """image: (H, W, 3) float32 0..1; mask: (H, W) bool or None."""
    planar = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
    valid = None if mask is None else torch.from_numpy(np.ascontiguousarray(mask))
    if device != "cpu":
        return Target(image=planar.to(device), valid=None if valid is None else valid.to(device))
    from splat_worker.train.cpu import photometric

    width = planar.shape[2]
    target = _padded(planar.numpy())
    inside = np.zeros(target.shape[1:], np.float32)
    inside[:, :width] = 1.0 if mask is None else mask
    blurred = photometric.blur_target(target, width, settle_threads())
    return Target(image=planar, valid=valid, padded=(target, blurred, inside))


def photometric_loss(image: Tensor, target: Target, affine: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of one rendering.

    image: (3, H, W); affine: (3, 4), given, not learned: affine[:, :3] @ image + affine[:, 3] is compared.
    Returns the loss (scalar) and the error: (H, W), mean absolute difference, detached.
    """
    if target.padded is not None:
        return _CpuPhotometric.apply(image, affine, target)
    seen = torch.einsum("ij,jhw->ihw", affine[:, :3], image) + affine[:, 3, None, None]
    if target.valid is not None:
        seen = torch.where(target.valid, seen, target.image)
    off = (seen - target.image).abs()
    similar = ssim_map(seen, target.image)
    if target.valid is not None:
        similar = torch.where(target.valid, similar, torch.ones_like(similar))
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


class _CpuPhotometric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, affine: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        from splat_worker.train.cpu import photometric

        assert target.padded is not None
        wanted, blurred, inside = target.padded
        _, height, width = target.image.shape
        sums, d_image, error = photometric.photometric(
            _padded(image.detach().numpy()),
            wanted,
            blurred,
            inside,
            np.ascontiguousarray(affine.detach().numpy()),
            width,
            np.float32(SSIM_SHARE),
            settle_threads(),
        )
        l1, similar = sums.sum(0, dtype=np.float64) / (3 * height * width)
        ctx.d_image = d_image
        ctx.width = width
        error_map = torch.from_numpy(error[:, :width])
        ctx.mark_non_differentiable(error_map)
        return torch.tensor((1 - SSIM_SHARE) * l1 + SSIM_SHARE * (1 - similar), dtype=torch.float32), error_map

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _error: Tensor) -> tuple[Tensor | None, ...]:
        scale = float(slope)
        d_image = torch.from_numpy(ctx.d_image)[:, :, : ctx.width]
        return (d_image if scale == 1.0 else d_image * scale), None, None


def _padded(planar: np.ndarray) -> np.ndarray:
    """(3, H, W) with rows padded to whole lane groups; the rasteriser's own pictures pass through uncopied."""
    channels, height, width = planar.shape
    stride = (width + LANES - 1) // LANES * LANES
    base = planar.base
    if isinstance(base, np.ndarray) and base.shape == (channels, height, stride) and base.flags.c_contiguous:
        return base
    if width == stride:
        return np.ascontiguousarray(planar)
    out = np.zeros((channels, height, stride), np.float32)
    out[:, :, :width] = planar
    return out
