"""How far the picture moved between two small grey frames, by phase correlation of tiles. Pure arrays.

A tile of 48 px finds shifts up to about 14 px. Tiles without texture say nothing, and a tile whose peak is weak has
moved farther or changed.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 192
"""Longer side of the small frames."""
TILE_PX, STRIDE_PX = 48, 24
TEXTURE_MIN = 4.0
"""Standard deviation in grey levels below which a tile shows nothing: noise and compression give 1 to 2."""
PEAK_MIN = 0.25
"""Height of a peak, of 1 for a pure shift, from which it counts. Unrelated tiles reach 0.2."""
SURE_SHARE_MIN = 0.25
QUANTILE = 0.75
"""The subject in the middle of an orbit hardly moves while its surroundings do; the quantile follows these."""

Grey = NDArray[np.float32]


def shift_between(one: Grey, other: Grey) -> float | None:
    """Motion as a share of the longer side: the QUANTILE of the tiles' shifts. None if too few tiles can be followed.
    one, other: (H, W) grey levels of the same size, SIDE_PX on the longer side."""
    first, second = _tiles(one), _tiles(other)
    textured = np.minimum(first.std(axis=(1, 2)), second.std(axis=(1, 2))) >= TEXTURE_MIN
    if not textured.any():
        return 0.0 if np.abs(one - other).mean() < TEXTURE_MIN else None
    shifts, peaks = _phase_correlation(first[textured], second[textured])
    sure = peaks >= PEAK_MIN
    if sure.mean() < SURE_SHARE_MIN:
        return None
    return float(np.quantile(np.linalg.norm(shifts[sure], axis=1), QUANTILE)) / max(one.shape)


def _tiles(grey: Grey) -> Grey:
    """(T, TILE_PX, TILE_PX), overlapping; one tile of the whole frame's width or height where that is smaller."""
    height, width = grey.shape
    windows = np.lib.stride_tricks.sliding_window_view(grey, (min(TILE_PX, height), min(TILE_PX, width)))
    tiles = windows[::STRIDE_PX, ::STRIDE_PX]
    return np.ascontiguousarray(tiles.reshape(-1, *tiles.shape[2:]))


def _phase_correlation(first: Grey, second: Grey) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, 2) shifts y, x in px, and (T,) peaks from 0 to 1."""
    height, width = first.shape[1:]
    window, weight = _window(height, width)
    spectra = [np.fft.rfft2((tiles - tiles.mean(axis=(1, 2), keepdims=True)) * window) for tiles in (first, second)]
    cross = spectra[1] * np.conj(spectra[0])
    surface = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-6) * weight, s=(height, width))
    flat = surface.reshape(len(surface), -1)
    best = flat.argmax(axis=1)
    y, x = np.divmod(best, width)
    shifts = np.stack([_finer(surface, y, x, axis=1), _finer(surface, y, x, axis=2)], axis=1)
    return shifts, flat.max(axis=1) / _peak_of_pure_shift(height, width)


def _finer(
    surface: NDArray[np.float64], y: NDArray[np.int64], x: NDArray[np.int64], *, axis: int
) -> NDArray[np.float64]:
    """The peak's place along an axis, by a parabola through its neighbours; beyond the middle it is negative."""
    size, at = surface.shape[axis], (y, x)[axis - 1]
    every = np.arange(len(surface))

    def value(offset: int) -> NDArray[np.float64]:
        near = (at + offset) % size
        values: NDArray[np.float64] = surface[every, near, x] if axis == 1 else surface[every, y, near]
        return values

    before, peak, after = value(-1), value(0), value(1)
    bend = np.minimum(before - 2 * peak + after, -1e-12)
    return np.where(at > size // 2, at - size, at) + np.clip(0.5 * (before - after) / bend, -0.5, 0.5)


@cache
def _window(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fades a tile's borders; weighs its frequencies, so that noise and blur count little."""
    fade = np.outer(np.hanning(height), np.hanning(width))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return fade, np.exp(-0.5 * (radius / 0.12) ** 2)


@cache
def _peak_of_pure_shift(height: int, width: int) -> float:
    _, weight = _window(height, width)
    return float(np.fft.irfft2(weight.astype(complex), s=(height, width)).max())
