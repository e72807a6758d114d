"""The photometric loss of one photo on the CPU: L1 and SSIM after the photo's own affine colour, by numba sweeps.
The same formula in torch's operations is gsplat/loss.py, which the tests compare with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from splat_worker.train.core.preset import SSIM_SHARE
from splat_worker.train.cpu.kernels.photometric import Target, blur_target, photometric
from splat_worker.train.cpu.kernels.simd import LANES
from splat_worker.train.runtime import settle_threads


def prepare_target(image: np.ndarray, mask: np.ndarray | None) -> Target:
    """image: (H, W, 3) float32 0..1; mask: (H, W) bool or None."""
    width = image.shape[1]
    padded = _padded(np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32))
    valid = np.zeros(padded.shape[1:], np.float32)
    valid[:, :width] = 1.0 if mask is None else mask
    blurred = blur_target(padded, width, settle_threads())
    return Target(width=width, image=padded, blurred=blurred, valid=valid)


def photometric_loss(image: Tensor, target: Target, affine: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of one rendering.

    image: (3, H, W); affine: (3, 4), given, not learned: affine[:, :3] @ image + affine[:, 3] is compared.
    Returns the loss (scalar) and the error: (H, W), mean absolute difference, detached.
    """
    loss, error = _Photometric.apply(image, affine, target)
    return loss, error


class _Photometric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, affine: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        height, width = target.image.shape[1], target.width
        sums, d_image, error = photometric(
            _padded(image.detach().numpy()),
            target,
            np.ascontiguousarray(affine.detach().numpy()),
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
