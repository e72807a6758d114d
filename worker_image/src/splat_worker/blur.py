"""A Gaussian window over pictures, for metrics and for features.
Sums of shifted pictures: a convolution would need cuDNN, which the image leaves out, and would round to TF32 on a GPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian_taps(sigma: float, reach: int) -> list[float]:
    """2 * reach + 1 weights that add up to 1."""
    weights = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-reach, reach + 1)]
    return [weight / sum(weights) for weight in weights]


def blurred(pictures: Tensor, taps: list[float]) -> Tensor:
    """(..., H, W) to (..., H - T + 1, W - T + 1): only places where the window of T taps a side lies inside."""
    for dim in (-2, -1):
        size = pictures.shape[dim] - len(taps) + 1
        total = torch.zeros_like(pictures.narrow(dim, 0, size), memory_format=torch.contiguous_format)
        for start, tap in enumerate(taps):
            total.add_(pictures.narrow(dim, start, size), alpha=tap)
        pictures = total
    return pictures
