"""HDR video as 8-bit sRGB. Pure arrays.

swscale can convert HDR too, but clips everything above reference white and takes 10 s to prepare (version 9.5).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
"""Transfer characteristics of HDR video (ITU-T H.273): SMPTE ST 2084, and ARIB STD-B67 (hybrid log-gamma)."""
WHITE_NITS = 203.0
"""Reference white of HDR (ITU-R BT.2408). It becomes KNEE and more of the range, highlights the rest."""
HLG_PEAK_NITS = 1000.0
HLG_GAMMA = 1.2
"""System gamma of a display of HLG_PEAK_NITS (ITU-R BT.2100)."""
KNEE = 0.7
"""Share of reference white up to which light is kept as it is."""
BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    dtype=np.float32,
)
"""Linear light (ITU-R BT.2087)."""
LEVELS = 4096


def to_sdr(rgb: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """(H, W, 3) sRGB. rgb: (H, W, 3) 16-bit R'G'B' of BT.2020 primaries, full range; transfer: PQ or HLG."""
    light = _decoding_table(transfer)[rgb >> 4]
    if transfer == HLG:
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], dtype=np.float32)
        light *= np.maximum(luminance, 1e-6)[..., None] ** np.float32(HLG_GAMMA - 1) * (HLG_PEAK_NITS / WHITE_NITS)
    light = np.maximum(light @ BT2020_TO_BT709.T, 0.0)
    strongest = light.max(axis=-1, keepdims=True)
    light *= _rolled_off(strongest) / np.maximum(strongest, 1e-6)
    encoded = _encoding_table()[np.rint(np.sqrt(np.minimum(light, 1.0)) * (LEVELS - 1)).astype(np.uint16)]
    return np.asarray(encoded, dtype=np.uint8)


def _rolled_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unchanged up to KNEE, then bent smoothly towards 1, so that highlights keep their shapes."""
    room = 1.0 - KNEE
    bent = 1.0 - room * room / (np.maximum(light, KNEE) - KNEE + room)
    return np.where(light <= KNEE, light, bent).astype(np.float32)


@cache
def _decoding_table(transfer: int) -> NDArray[np.float32]:
    """(LEVELS,) light of a 12-bit signal: in units of reference white for PQ, of the scene's peak for HLG."""
    signal = np.linspace(0.0, 1.0, LEVELS)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        light = (np.maximum(root - c1, 0.0) / (c2 - c3 * root)) ** (1 / m1) * 10_000.0 / WHITE_NITS
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light.astype(np.float32)


@cache
def _encoding_table() -> NDArray[np.uint8]:
    """(LEVELS,) sRGB bytes by the square root of the light, whose steps are about even to the eye."""
    light = np.linspace(0.0, 1.0, LEVELS) ** 2
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)
