"""Drawing ellipses into horizontal bands of the image, and walking the same way again for gradients.
Works on one band at a time and touches only its rows, so that bands run in parallel; launches no threads.

A band is BAND_PX rows high; its pixels are handled in blocks of 16 x 1, one lane group. For each ellipse of the
band (front to back) the blocks are found from the exact ellipse alpha >= 1/255, columns first, then the rows
within a column, so that sums over pixels stay in registers. Both passes go front to back: the colour behind a
Gaussian is what is left of the pixel's total, so nothing is stored between the passes but the image.
"""

# ruff: noqa: PLR0917  (numba kernels take their arrays by position)
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from splat_worker.train.cpu.kernels.projection import (
    BLUE,
    CONIC_A,
    CONIC_B,
    CONIC_C,
    G0,
    GBLUE,
    GERROR,
    GGREEN,
    GRED,
    GREEN,
    GX,
    GXX,
    GXY,
    GY,
    GYY,
    HALF_X,
    HALF_Y,
    LIFT,
    MX,
    MY,
    PER_A,
    PER_C,
    REACH,
    RED,
)
from splat_worker.train.cpu.kernels.simd import (
    LANES,
    any_lane,
    load,
    nearest,
    ramp,
    smaller,
    splat,
    store,
    times_power_of_two,
    total,
    where,
)

BAND_PX = 8
ALPHA_MAX = np.float32(0.999)
POWER_MIN = np.float32(-math.log2(255.0))  # ALPHA_MIN as a power of two; below it exp2 may return anything
OPAQUE_BELOW = np.float32(1e-4)  # a pixel with less transmittance takes no more Gaussians (as in gsplat)

_LOG2E = np.float32(1.4426950408889634)
_SLACK_PX = np.float32(1e-3)
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


class Band(NamedTuple):
    """Where a band lies in a planar picture (3, H, stride). first_row, rows: its own; width: columns that count;
    plane: H * stride."""

    first_row: int
    rows: int
    width: int
    stride: int
    plane: int


class Scratch(NamedTuple):
    """One thread's memory. through, behind: flat (BAND_PX * stride,); done: (BAND_PX * stride / 16,) bool."""

    through: np.ndarray
    behind: np.ndarray
    done: np.ndarray


@njit(cache=True, inline="always")
def exp2(p):
    """2^p for lanes with p in -126 .. 126, relative error below 2e-7: whole part by exponent, rest by Taylor."""
    n = nearest(p)
    f = p - n
    r = splat(np.float32(1.5403530e-4))
    r = r * f + np.float32(1.3333558e-3)
    r = r * f + np.float32(9.6181291e-3)
    r = r * f + np.float32(5.5504109e-2)
    r = r * f + np.float32(2.4022651e-1)
    r = r * f + np.float32(6.9314718e-1)
    r = r * f + _ONE
    return times_power_of_two(r, n)


@njit(cache=True, inline="always")
def _edge(at, lean, along, per_along, across, reach, low, high):
    """Largest offset of the ellipse along one axis while the other stays in [low, high].

    at: offset on the other axis where the ellipse reaches farthest; the rest are conic entries.
    """
    other = min(max(at, low), high)
    inside = lean * lean * other * other - along * (across * other * other - reach)
    return (-lean * other + np.float32(math.sqrt(max(inside, _ZERO)))) * per_along


@njit(cache=True, inline="always")
def _columns(row, top, bottom):
    """First and one past the last block column that the ellipse touches between two heights in px."""
    a, b, c, reach = row[CONIC_A], row[CONIC_B], row[CONIC_C], row[REACH]
    low, high = top - row[MY], bottom - row[MY]
    at = -b * row[PER_C] * row[HALF_X]
    right = row[MX] + _edge(at, b, a, row[PER_A], c, reach, low, high) + _SLACK_PX
    left = row[MX] - _edge(at, b, a, row[PER_A], c, reach, -high, -low) - _SLACK_PX
    return left, right


@njit(cache=True, inline="always")
def _rows(row, left, right):
    a, b, c, reach = row[CONIC_A], row[CONIC_B], row[CONIC_C], row[REACH]
    low, high = left - row[MX], right - row[MX]
    at = -b * row[PER_A] * row[HALF_Y]
    bottom = row[MY] + _edge(at, b, c, row[PER_C], a, reach, low, high) + _SLACK_PX
    top = row[MY] - _edge(at, b, c, row[PER_C], a, reach, -high, -low) - _SLACK_PX
    return top, bottom


@njit(cache=True, inline="always")
def _block_range(row, band):
    """First and last block that the ellipse touches within the band, and its left and right end in px. The last block
    is before the first where it touches none."""
    top, bottom = np.float32(band.first_row) + _HALF, np.float32(band.first_row + band.rows) - _HALF
    left, right = _columns(row, top, bottom)
    first, last = 0, -1
    if not (right < _HALF or left > np.float32(band.width) - _HALF or right < left):
        first = int(max(left - _HALF, _ZERO)) // LANES
        last = int(min(right - _HALF, np.float32(band.width - 1))) // LANES
    return first, last, left, right


@njit(cache=True, inline="always")
def _row_range(row, band, x0, left, right):
    """First and last row of the band that the ellipse touches in the block whose first pixel centre is x0."""
    top, bottom = _rows(row, max(x0, left), min(x0 + np.float32(LANES - 1), right))
    first = max(math.ceil(top - _HALF) - band.first_row, 0)
    return first, min(math.floor(bottom - _HALF) - band.first_row, band.rows - 1)


@njit(cache=True, inline="always")
def _exponent(row):
    """Factors of dx^2, dx dy and dy^2 in the ellipse's exponent, as powers of two."""
    return -_HALF * _LOG2E * row[CONIC_A], -_LOG2E * row[CONIC_B], -_HALF * _LOG2E * row[CONIC_C]


@njit(cache=True)
def draw_band(packed, members, band, image, background, scratch):
    """Composites `members` (ranks, front to back) over the band's rows of the planar image.

    packed: (R, PACKED); image: flat (3, H, stride). Leaves the transmittance in scratch.through.
    """
    first_row, rows, _width, stride, plane = band
    through, done = scratch.through, scratch.done
    blocks = stride // LANES
    base = first_row * stride
    for i in range(rows * stride):
        through[i] = _ONE
        image[base + i] = _ZERO
        image[plane + base + i] = _ZERO
        image[2 * plane + base + i] = _ZERO
    for i in range(rows * blocks):
        done[i] = False
    lanes = ramp()
    for member in members:
        row = packed[member]
        block_first, block_last, left, right = _block_range(row, band)
        if block_last < block_first:
            continue
        mx, my = row[MX], row[MY]
        lift = row[LIFT]
        qa, qb, qc = _exponent(row)
        red, green, blue = row[RED], row[GREEN], row[BLUE]
        for block in range(block_first, block_last + 1):
            x0 = np.float32(block * LANES) + _HALF
            r_first, r_last = _row_range(row, band, x0, left, right)
            dx = lanes + (x0 - mx)
            constant = dx * dx * qa + lift
            slope = dx * qb
            for r in range(r_first, r_last + 1):
                if done[r * blocks + block]:
                    continue
                dy = np.float32(first_row + r) + _HALF - my
                power = constant + (slope * dy + qc * dy * dy)
                alpha = where(power >= POWER_MIN, smaller(exp2(power), splat(ALPHA_MAX)), splat(_ZERO))
                at = r * stride + block * LANES
                left_over = load(through, at)
                weight = alpha * left_over
                left_over = left_over - weight
                store(through, at, left_over)
                at += base
                store(image, at, load(image, at) + weight * red)
                store(image, plane + at, load(image, plane + at) + weight * green)
                store(image, 2 * plane + at, load(image, 2 * plane + at) + weight * blue)
                if not any_lane(left_over > OPAQUE_BELOW):
                    done[r * blocks + block] = True
    for i in range(0, rows * stride, LANES):
        left_over = load(through, i)
        at = base + i
        store(image, at, load(image, at) + left_over * background[0])
        store(image, plane + at, load(image, plane + at) + left_over * background[1])
        store(image, 2 * plane + at, load(image, 2 * plane + at) + left_over * background[2])


@njit(cache=True)
def pull_back_band(packed, members, band, image, slopes, errors, scratch, sums):
    """Gradients of one band: fills sums[i] (BANDED,) for members[i], all sums over the band's pixels.

    slopes: flat (3, H, stride), dLoss/dimage, zero in the padding; errors: flat (H, stride), any weight per
    pixel that is summed with the Gaussian's share in it.
    """
    first_row, rows, _width, stride, plane = band
    through, behind, done = scratch
    blocks = stride // LANES
    base = first_row * stride
    for i in range(0, rows * stride, LANES):
        at = base + i
        store(through, i, splat(_ONE))
        left = load(image, at) * load(slopes, at)
        left = left + load(image, plane + at) * load(slopes, plane + at)
        store(behind, i, left + load(image, 2 * plane + at) * load(slopes, 2 * plane + at))
    for i in range(rows * blocks):
        done[i] = False
    lanes = ramp()
    nothing = splat(_ZERO)
    for i in range(len(members)):
        row = packed[members[i]]
        out = sums[i]
        out[:] = _ZERO
        block_first, block_last, left, right = _block_range(row, band)
        if block_last < block_first:
            continue
        mx, my = row[MX], row[MY]
        lift = row[LIFT]
        qa, qb, qc = _exponent(row)
        red, green, blue = row[RED], row[GREEN], row[BLUE]
        s_red, s_green, s_blue, s_error = nothing, nothing, nothing, nothing
        s0, sx, sxx, sy, sxy, syy = nothing, nothing, nothing, nothing, nothing, nothing
        for block in range(block_first, block_last + 1):
            x0 = np.float32(block * LANES) + _HALF
            r_first, r_last = _row_range(row, band, x0, left, right)
            dx = lanes + (x0 - mx)
            constant = dx * dx * qa + lift
            slope = dx * qb
            c0, cy, cyy = nothing, nothing, nothing
            for r in range(r_first, r_last + 1):
                if done[r * blocks + block]:
                    continue
                dy = np.float32(first_row + r) + _HALF - my
                power = constant + (slope * dy + qc * dy * dy)
                alpha = where(power >= POWER_MIN, smaller(exp2(power), splat(ALPHA_MAX)), nothing)
                at = r * stride + block * LANES
                left_over = load(through, at)
                weight = alpha * left_over
                g_red, g_green = load(slopes, base + at), load(slopes, plane + base + at)
                g_blue = load(slopes, 2 * plane + base + at)
                own = g_red * red + g_green * green + g_blue * blue
                rest = load(behind, at) - weight * own
                store(behind, at, rest)
                s_red = s_red + weight * g_red
                s_green = s_green + weight * g_green
                s_blue = s_blue + weight * g_blue
                s_error = s_error + weight * load(errors, base + at)
                pull = weight * own - alpha * rest / (_ONE - alpha)
                pull = where(alpha < ALPHA_MAX, pull, nothing)
                c0 = c0 + pull
                cy = cy + pull * dy
                cyy = cyy + pull * (dy * dy)
                left_over = left_over - weight
                store(through, at, left_over)
                if not any_lane(left_over > OPAQUE_BELOW):
                    done[r * blocks + block] = True
            s0 = s0 + c0
            sx = sx + c0 * dx
            sxx = sxx + c0 * dx * dx
            sy = sy + cy
            sxy = sxy + cy * dx
            syy = syy + cyy
        out[G0], out[GX], out[GY] = total(s0), total(sx), total(sy)
        out[GXX], out[GXY], out[GYY] = total(sxx), total(sxy), total(syy)
        out[GRED], out[GGREEN], out[GBLUE] = total(s_red), total(s_green), total(s_blue)
        out[GERROR] = total(s_error)
