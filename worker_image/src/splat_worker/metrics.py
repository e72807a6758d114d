"""PSNR and SSIM of two pictures, in numpy, as every stage and test of the worker uses them.
Never imports torch; never decides what is compared with what.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WINDOW_PX, _SIGMA_PX = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_BAND_ROWS = 32  # of a picture at once: what is at hand stays in a core's own cache
Picture = NDArray[np.floating]


def psnr_db(a: Picture, b: Picture, valid: NDArray[np.bool_] | None = None) -> float:
    """Peak signal-to-noise ratio. a, b: (H, W, 3) in 0..1; valid: (H, W), which pixels count. Equal: inf."""
    _same_shape(a, b)
    squared = (a.astype(np.float64) - b.astype(np.float64)) ** 2
    mean = float(squared.mean() if valid is None else squared[valid].mean())
    return float("inf") if mean == 0.0 else -10.0 * float(np.log10(mean))


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity, mean over channels and all 11x11 windows that lie inside the picture.

    a, b: (H, W, 3) in 0..1, at least 11x11. Wang et al. 2004: sigma 1.5, K1 0.01, K2 0.03.
    """
    _same_shape(a, b)
    if min(a.shape[:2]) < _WINDOW_PX:
        raise ValueError(f"SSIM needs pictures of at least {_WINDOW_PX}x{_WINDOW_PX} px, this one is {a.shape[:2]}")
    windows = a.shape[0] - _WINDOW_PX + 1
    total = 0.0
    for channel in range(a.shape[2]):
        for top in range(0, windows, _BAND_ROWS):
            rows = slice(top, min(top + _BAND_ROWS, windows) + _WINDOW_PX - 1)
            total += float(_similarity(a[rows, :, channel], b[rows, :, channel]).sum())
    return total / (a.shape[2] * windows * (a.shape[1] - _WINDOW_PX + 1))


def _similarity(a: Picture, b: Picture) -> NDArray[np.float64]:
    """Of every window within (H, W) pictures. Float32 is too coarse where all is flat."""
    x, y = np.ascontiguousarray(a, np.float64), np.ascontiguousarray(b, np.float64)
    mx, my = _blur(x), _blur(y)
    xx, yy, xy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    numerator = (2 * mx * my + _C1) * (2 * xy + _C2)
    return numerator / ((mx * mx + my * my + _C1) * (xx + yy + _C2))


def fit_colour(source: Picture, wanted: Picture, valid: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """(3, 4) affine that maps the colours of `source` to `wanted` with the least squared error.

    It takes the camera's exposure and white balance out of a comparison; a figure got after it must say so.
    """
    chosen = slice(None) if valid is None else valid.reshape(-1)
    flat = source.reshape(-1, 3).astype(np.float64)[chosen]
    rows = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
    # by the normal equations: less time, and colours within 0..1 are conditioned well enough for them
    solution, *_ = np.linalg.lstsq(
        rows.T @ rows, rows.T @ wanted.reshape(-1, 3).astype(np.float64)[chosen], rcond=1e-12
    )
    return solution.T


def apply_colour(affine: NDArray[np.float64], picture: Picture) -> Picture:
    """The affine of fit_colour applied and clipped to 0..1."""
    return np.clip(picture @ affine[:, :3].T + affine[:, 3], 0.0, 1.0)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian window over rows and columns of (H, W), only where it lies wholly inside."""
    offsets = np.arange(_WINDOW_PX) - _WINDOW_PX // 2
    taps = np.exp(-0.5 * (offsets / _SIGMA_PX) ** 2)
    taps /= taps.sum()
    height, width = image.shape[0] - _WINDOW_PX + 1, image.shape[1] - _WINDOW_PX + 1
    rows = _weighted([image[i : i + height] for i in range(_WINDOW_PX)], taps)
    return _weighted([rows[:, i : i + width] for i in range(_WINDOW_PX)], taps)


def _weighted(parts: Sequence[NDArray[np.float64]], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of parts times taps, in two arrays' memory."""
    total = parts[0] * taps[0]
    one = np.empty_like(total)
    for part, tap in zip(parts[1:], taps[1:], strict=True):
        np.multiply(part, tap, out=one)
        total += one
    return total


def _same_shape(a: Picture, b: Picture) -> None:
    if a.shape != b.shape:
        raise ValueError(f"pictures of {a.shape} and {b.shape} cannot be compared: resize one of them first")
