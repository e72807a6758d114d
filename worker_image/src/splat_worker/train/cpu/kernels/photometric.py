"""L1 and SSIM of two planar images with their gradient, on the CPU's cores, in three sweeps over rows.
Knows nothing of cameras or Gaussians.

SSIM as in 3D Gaussian splatting: an 11-tap Gaussian window of sigma 1.5, zero outside the image. The window is
separable and symmetric, so that the gradient is the same blur of three maps; each sweep blurs along rows and
leaves the columns to the next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from splat_worker.train.cpu.kernels.simd import LANES, load, splat, store, take_ticket, total, where

SIGMA_PX = 1.5
REACH_PX = 5
C1 = np.float32(0.01**2)
C2 = np.float32(0.03**2)
_taps = np.exp(-0.5 * (np.arange(REACH_PX + 1) / SIGMA_PX) ** 2)
TAPS = (_taps / (_taps[0] + 2 * _taps[1:].sum())).astype(np.float32)  # centre first, one side
PAD = LANES  # zeros left and right of a row of a scratch image
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


class Target(NamedTuple):
    """A photo prepared for the loss; rows padded to `stride`, whole groups of lanes.

    width: px; image: (3, H, stride) 0..1; blurred: blur_target(image); valid: (H, stride) 1 where the pixel counts,
    else 0, also in the padding.
    """

    width: int
    image: np.ndarray
    blurred: np.ndarray
    valid: np.ndarray


@njit(cache=True, inline="always")
def _across(line, at):
    """Blur of 16 neighbours along a flat array."""
    value = load(line, at) * TAPS[0]
    for i in range(1, REACH_PX + 1):
        value = value + (load(line, at - i) + load(line, at + i)) * TAPS[i]
    return value


@njit(cache=True, inline="always")
def _down(plane, at, stride):
    """Blur of 16 neighbours along columns; `plane` has REACH_PX rows of zeros above and below."""
    value = load(plane, at) * TAPS[0]
    for i in range(1, REACH_PX + 1):
        value = value + (load(plane, at - i * stride) + load(plane, at + i * stride)) * TAPS[i]
    return value


@njit(cache=True)
def _with_empty_margins(maps, channels, rows, wide):
    """Scratch with zeros in the rows above and below the image; `_down` reads no other place that is not written."""
    out = np.empty((maps, channels, rows, wide), np.float32)
    out[:, :, :REACH_PX] = _ZERO
    out[:, :, rows - REACH_PX :] = _ZERO
    return out


@njit(cache=True, parallel=True, nogil=True)
def blur_target(target, width, threads):
    """What SSIM needs of the photo alone: its blur and its blurred square.

    target: (3, H, stride). Returns (2, 3, H, stride).
    """
    channels, height, stride = target.shape
    wide = stride + 2 * PAD
    rows = height + 2 * REACH_PX
    half = _with_empty_margins(2, channels, rows, wide)
    out = np.empty((2, channels, height, stride), np.float32)
    ticket = np.zeros(2, np.int64)
    for _ in prange(threads):
        line, square = np.zeros(wide, np.float32), np.zeros(wide, np.float32)
        while True:
            task = take_ticket(ticket[:1])
            if task >= channels * height:
                break
            c, r = task // height, task % height
            for x in range(width):
                value = target[c, r, x]
                line[PAD + x], square[PAD + x] = value, value * value
            for x in range(0, stride, LANES):
                store(half[0, c, r + REACH_PX], PAD + x, _across(line, PAD + x))
                store(half[1, c, r + REACH_PX], PAD + x, _across(square, PAD + x))
    for _ in prange(threads):
        while True:
            task = take_ticket(ticket[1:])
            if task >= channels * height:
                break
            c, r = task // height, task % height
            for m in range(2):
                plane = half[m, c].reshape(-1)
                for x in range(0, stride, LANES):
                    store(out[m, c, r], x, _down(plane, (r + REACH_PX) * wide + PAD + x, wide))
    return out


@njit(cache=True, parallel=True, nogil=True)
def photometric(image, photo, affine, ssim_share, threads):
    """Loss of affine(image) against a Target, its gradient, and the absolute error.

    image: (3, H, stride); affine: (3, 4), the picture that is compared is affine[:, :3] image + affine[:, 3].
    A pixel that is not valid counts as equal to the photo. Loss = (1 - s) L1 + s (1 - SSIM), means over all
    3 H width values. Returns sums (rows, 2): L1 and SSIM per row; d image (3, H, stride);
    error: (H, stride) mean absolute difference of the channels.
    """
    width, target, blurred, valid = photo
    channels, height, stride = image.shape
    wide = stride + 2 * PAD
    rows = height + 2 * REACH_PX
    norm = _ONE / np.float32(3 * height * width)
    half = _with_empty_margins(3, channels, rows, wide)
    slopes = _with_empty_margins(3, channels, rows, wide)
    seen = np.empty((channels, height, stride), np.float32)
    sums = np.zeros((height * channels, 2), np.float32)
    error = np.zeros((height, stride), np.float32)
    d_image = np.empty((channels, height, stride), np.float32)
    ticket = np.zeros(3, np.int64)
    nothing = splat(_ZERO)
    for _ in prange(threads):
        line, square, product = np.zeros(wide, np.float32), np.zeros(wide, np.float32), np.zeros(wide, np.float32)
        while True:
            task = take_ticket(ticket[:1])
            if task >= channels * height:
                break
            c, r = task // height, task % height
            for x in range(0, stride, LANES):
                value = load(image[0, r], x) * affine[c, 0] + load(image[1, r], x) * affine[c, 1]
                value = value + load(image[2, r], x) * affine[c, 2] + affine[c, 3]
                wanted = load(target[c, r], x)
                value = where(load(valid[r], x) > _ZERO, value, wanted)
                store(seen[c, r], x, value)
                store(line, PAD + x, value)
                store(square, PAD + x, value * value)
                store(product, PAD + x, value * wanted)
            for x in range(0, stride, LANES):
                store(half[0, c, r + REACH_PX], PAD + x, _across(line, PAD + x))
                store(half[1, c, r + REACH_PX], PAD + x, _across(square, PAD + x))
                store(half[2, c, r + REACH_PX], PAD + x, _across(product, PAD + x))
    for _ in prange(threads):
        lines = np.zeros((3, wide), np.float32)
        scale = -ssim_share * norm
        while True:
            task = take_ticket(ticket[1:])
            if task >= channels * height:
                break
            c, r = task // height, task % height
            at = (r + REACH_PX) * wide + PAD
            whole = nothing
            for x in range(0, stride, LANES):
                mx = _down(half[0, c].reshape(-1), at + x, wide)
                xx = _down(half[1, c].reshape(-1), at + x, wide)
                xy = _down(half[2, c].reshape(-1), at + x, wide)
                my, yy = load(blurred[0, c, r], x), load(blurred[1, c, r], x)
                a1, b1 = _TWO * mx * my + C1, mx * mx + my * my + C1
                a2, b2 = _TWO * (xy - mx * my) + C2, xx - mx * mx + yy - my * my + C2
                inverse = _ONE / (b1 * b2)
                ssim = a1 * a2 * inverse
                inside = load(valid[r], x)
                ssim = where(inside > _ZERO, ssim, splat(_ONE))
                whole = whole + ssim
                # partial derivatives of SSIM with respect to the blurred x, x^2, x y
                factor = inside * scale
                d_xx = nothing - ssim / b2
                d_xy = _TWO * a1 * inverse
                d_mx = _TWO * my * (a2 - a1) * inverse - _TWO * mx * ssim / b1 - _TWO * mx * d_xx
                store(lines[0], PAD + x, d_mx * factor)
                store(lines[1], PAD + x, d_xx * factor)
                store(lines[2], PAD + x, d_xy * factor)
            sums[task, 1] = total(whole) - np.float32(stride - width)
            for m in range(3):
                for x in range(0, stride, LANES):
                    store(slopes[m, c, r + REACH_PX], PAD + x, _across(lines[m], PAD + x))
    for _ in prange(threads):
        while True:
            r = take_ticket(ticket[2:])
            if r >= height:
                break
            at = (r + REACH_PX) * wide + PAD
            flat = (_ONE - ssim_share) * norm
            for c in range(channels):
                whole = nothing
                for x in range(0, stride, LANES):
                    inside = load(valid[r], x)
                    value, wanted = load(seen[c, r], x), load(target[c, r], x)
                    off = value - wanted
                    size = where(off > _ZERO, off, nothing - off) * inside
                    whole = whole + size
                    store(error[r], x, load(error[r], x) + size * np.float32(1.0 / 3.0))
                    d = _down(slopes[0, c].reshape(-1), at + x, wide)
                    d = d + _TWO * value * _down(slopes[1, c].reshape(-1), at + x, wide)
                    d = d + wanted * _down(slopes[2, c].reshape(-1), at + x, wide)
                    sign = where(off > _ZERO, splat(flat), splat(-flat))
                    d = (d + where(size > _ZERO, sign, nothing)) * inside
                    store(d_image[c, r], x, d)
                sums[c * height + r, 0] = total(whole)
            for x in range(0, stride, LANES):
                red, green, blue = load(d_image[0, r], x), load(d_image[1, r], x), load(d_image[2, r], x)
                for c in range(channels):
                    store(d_image[c, r], x, red * affine[0, c] + green * affine[1, c] + blue * affine[2, c])
    return sums, d_image, error
