"""PSNR and SSIM of two pictures, for every stage and test of the worker; tensors on any one device.
Never decides what is compared with what.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from splat_worker.blur import blurred, gaussian_taps

_WINDOW_PX, _SIGMA_PX = 11, 1.5
_WINDOW = gaussian_taps(_SIGMA_PX, _WINDOW_PX // 2)
_C1, _C2 = 0.01**2, 0.03**2
_BAND_ROWS = 128  # of a picture at once on a CPU: fewer wait for Python's lock, more need too much memory


def psnr_db(a: Tensor, b: Tensor, valid: Tensor | None = None) -> float:
    """Peak signal-to-noise ratio. a, b: (H, W, 3) in 0..1; valid: (H, W) bool, which pixels count. Equal: inf."""
    _same_shape(a, b)
    squared = (a.double() - b.double()) ** 2
    mean = float((squared if valid is None else squared[valid]).mean())
    return math.inf if mean == 0.0 else -10.0 * math.log10(mean)


def ssim(a: Tensor, b: Tensor, valid: Tensor | None = None) -> float:
    """Structural similarity, mean over channels and all 11x11 windows that lie inside the picture.

    a, b: (H, W, 3) in 0..1, at least 11x11; valid: (H, W) bool, the middles of windows that count; NaN if none does.
    Wang et al. 2004: sigma 1.5, K1 0.01, K2 0.03.
    """
    _same_shape(a, b)
    height, width, channels = a.shape
    if min(height, width) < _WINDOW_PX:
        raise ValueError(
            f"SSIM needs pictures of at least {_WINDOW_PX}x{_WINDOW_PX} px, this one is {tuple(a.shape[:2])}"
        )
    windows = height - _WINDOW_PX + 1
    at_once = _BAND_ROWS if a.device.type == "cpu" else windows
    total = torch.zeros((), dtype=torch.float64, device=a.device)
    half = _WINDOW_PX // 2
    middles = None if valid is None else valid[half : height - half, half : width - half]
    for channel in range(channels):
        for top in range(0, windows, at_once):
            rows = slice(top, min(top + at_once, windows) + _WINDOW_PX - 1)
            similar = _similarity(a[rows, :, channel], b[rows, :, channel])
            total += (similar if middles is None else similar[middles[top : top + len(similar)]]).sum()
    counted = windows * (width - _WINDOW_PX + 1) if middles is None else int(middles.sum())
    return float(total) / (channels * counted) if counted else math.nan


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    """Of every window within (H, W) pictures. Float32 is too coarse where all is flat."""
    x, y = a.double().contiguous(), b.double().contiguous()
    mx, my, xx, yy, xy = (blurred(part, _WINDOW) for part in (x, y, x * x, y * y, x * y))
    xx, yy, xy = xx - mx * mx, yy - my * my, xy - mx * my
    numerator = (2 * mx * my + _C1) * (2 * xy + _C2)
    return numerator / ((mx * mx + my * my + _C1) * (xx + yy + _C2))


def fit_colour(source: Tensor, wanted: Tensor, valid: Tensor | None = None) -> Tensor:
    """(3, 4) affine that maps the colours of `source` to `wanted` with the least squared error.

    It removes the camera's exposure and white balance from a comparison; a figure after such a fit must be marked.
    """
    chosen = slice(None) if valid is None else valid.reshape(-1)
    flat = source.reshape(-1, 3).double()[chosen]
    rows = torch.cat([flat, flat.new_ones(len(flat), 1)], 1)
    # The normal equations take less time, and colours within 0..1 are conditioned well enough for them.
    left, right = rows.T @ rows, rows.T @ wanted.reshape(-1, 3).double()[chosen]
    return (torch.linalg.pinv(left.cpu(), rtol=1e-12, hermitian=True) @ right.cpu()).T.to(source.device)


def apply_colour(affine: Tensor, picture: Tensor) -> Tensor:
    """The affine of fit_colour applied and clipped to 0..1."""
    return (picture.double() @ affine[:, :3].T + affine[:, 3]).clamp(0.0, 1.0)


def _same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f"pictures of {tuple(a.shape)} and {tuple(b.shape)} cannot be compared; resize one of them first"
        )
