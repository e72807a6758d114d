"""HDR to sRGB against the curves of ITU-R BT.2100. Silent failures: dark mid-tones, clipped highlights,
a colour cast."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.video.colour import HLG, PQ, to_sdr


def srgb(light: float) -> float:
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def grey(signal: float) -> np.ndarray:
    return np.full((1, 1, 3), round(65535 * signal), np.uint16)


def pq_signal(nits: float) -> float:
    y = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def hlg_signal(nits: float) -> float:
    """Of a grey that a display of 1000 nits shows with these nits."""
    light = (nits / 1000) ** (1 / 1.2)
    return float(np.sqrt(3 * light) if light <= 1 / 12 else 0.17883277 * np.log(12 * light - 0.28466892) + 0.55991073)


@pytest.mark.parametrize("nits", [2, 10, 40, 100, 140])
@pytest.mark.parametrize(("transfer", "signal_of"), [(PQ, pq_signal), (HLG, hlg_signal)])
def test_light_below_reference_white_keeps_its_brightness(transfer: int, signal_of, nits: float) -> None:  # type: ignore[no-untyped-def]
    out = to_sdr(grey(signal_of(nits)), transfer)[0, 0]
    assert np.ptp(out) <= 1, "grey stays grey"
    assert out.mean() == pytest.approx(srgb(nits / 203), abs=2)


@pytest.mark.parametrize(("transfer", "signal_of"), [(PQ, pq_signal), (HLG, hlg_signal)])
def test_highlights_keep_an_order_and_stay_below_white(transfer: int, signal_of) -> None:  # type: ignore[no-untyped-def]
    levels = [int(to_sdr(grey(signal_of(nits)), transfer).max()) for nits in (100, 203, 350, 600, 1000)]
    assert levels == sorted(set(levels))
    assert levels[-1] <= 254


def test_black_is_black() -> None:
    assert to_sdr(grey(0.0), PQ).max() == 0
    assert to_sdr(grey(0.0), HLG).max() == 0


def test_a_colour_of_the_wide_gamut_keeps_its_hue() -> None:
    red = np.zeros((1, 1, 3), np.uint16)
    red[..., 0], red[..., 1:] = round(65535 * pq_signal(90)), round(65535 * pq_signal(20))
    r, g, b = to_sdr(red, PQ)[0, 0].astype(int)
    assert r > 2 * max(g, b)
