"""Forward and backward of the whole rasterisation on the CPU's cores: project, sort, draw; pull back, gather.
The only parallel loops over Gaussians and bands; results do not depend on the number of threads.
"""

# ruff: noqa: PLR0917  (numba kernels take their arrays by position)
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from splat_worker.train.cpu.kernels.bands import BAND_PX, Band, Scratch, draw_band, pull_back_band
from splat_worker.train.cpu.kernels.projection import (
    BANDED,
    HALF_X,
    HALF_Y,
    MY,
    PACKED,
    Gradients,
    project_one,
    pull_back_one,
)
from splat_worker.train.cpu.kernels.simd import LANES, take_ticket

CHUNK = 256  # Gaussians per ticket
_DIGIT_BITS = 11
_ZERO = np.float32(0)


class Drawing(NamedTuple):
    """A picture and what its gradients need.

    image: (3, H, stride), stride a multiple of 16; order: (R,) index of each drawn Gaussian, nearest first; packed:
    (R, PACKED); the rest as list_bands returns it.
    """

    image: np.ndarray
    order: np.ndarray
    packed: np.ndarray
    starts: np.ndarray
    members: np.ndarray
    entry_starts: np.ndarray
    entries: np.ndarray


@njit(cache=True)
def scratch_for(stride):
    return Scratch(
        np.empty(BAND_PX * stride, np.float32),
        np.empty(BAND_PX * stride, np.float32),
        np.empty(BAND_PX * stride // LANES, np.bool_),
    )


@njit(cache=True)
def band_of(band, width, height, stride):
    return Band(band * BAND_PX, min(BAND_PX, height - band * BAND_PX), width, stride, height * stride)


@njit(cache=True)
def order_by_depth(depth):
    """Indices of the positive depths, nearest first, equal depths in order of index (radix sort of the bits)."""
    keys = depth.view(np.uint32)
    count = 0
    for i in range(len(depth)):
        if depth[i] > _ZERO:
            count += 1
    order, other = np.empty(count, np.int32), np.empty(count, np.int32)
    count = 0
    for i in range(len(depth)):
        if depth[i] > _ZERO:
            order[count] = i
            count += 1
    starts = np.empty(1 << _DIGIT_BITS, np.int64)
    for shift in range(0, 32, _DIGIT_BITS):
        starts[:] = 0
        for i in order:
            starts[(keys[i] >> shift) & ((1 << _DIGIT_BITS) - 1)] += 1
        before = 0
        for digit in range(1 << _DIGIT_BITS):
            here = starts[digit]
            starts[digit] = before
            before += here
        for i in order:
            digit = (keys[i] >> shift) & ((1 << _DIGIT_BITS) - 1)
            other[starts[digit]] = i
            starts[digit] += 1
        order, other = other, order
    return order


@njit(cache=True)
def _band_range(row, bands):
    first = max(int((row[MY] - row[HALF_Y]) / np.float32(BAND_PX)), 0)
    last = min(int((row[MY] + row[HALF_Y]) / np.float32(BAND_PX)), bands - 1)
    return first, last


@njit(cache=True)
def list_bands(packed, bands):
    """Which ranks each band has to draw, front to back.

    packed: (R, PACKED) by depth. Returns starts: (bands + 1,); members: (E,) ranks; entry_starts: (R + 1,) and
    entries: (E,), the places in `members` that belong to a rank.
    """
    count = len(packed)
    starts = np.zeros(bands + 1, np.int64)
    entry_starts = np.zeros(count + 1, np.int64)
    for rank in range(count):
        first, last = _band_range(packed[rank], bands)
        entry_starts[rank + 1] = entry_starts[rank] + last - first + 1
        for band in range(first, last + 1):
            starts[band + 1] += 1
    for band in range(bands):
        starts[band + 1] += starts[band]
    members = np.empty(starts[bands], np.int32)
    entries = np.empty(starts[bands], np.int32)
    cursor = starts[:-1].copy()
    for rank in range(count):
        first, last = _band_range(packed[rank], bands)
        for band in range(first, last + 1):
            entries[entry_starts[rank] + band - first] = cursor[band]
            members[cursor[band]] = rank
            cursor[band] += 1
    return starts, members, entry_starts, entries


@njit(cache=True, parallel=True, nogil=True)
def draw(scene, lens, background, threads):
    """Renders one camera. background: (3,). Returns a Drawing."""
    count, width, height = len(scene.means), lens.width, lens.height
    rows_all = np.empty((count, PACKED), np.float32)
    depth = np.zeros(count, np.float32)
    ticket = np.zeros(2, np.int64)
    chunks = (count + CHUNK - 1) // CHUNK
    for _ in prange(threads):
        work = np.empty(32, np.float32)
        while True:
            chunk = take_ticket(ticket[:1])
            if chunk >= chunks:
                break
            for i in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count)):
                depth[i] = project_one(scene, i, lens, rows_all[i], work)
    order = order_by_depth(depth)
    packed = np.empty((len(order), PACKED), np.float32)
    for rank in range(len(order)):
        packed[rank] = rows_all[order[rank]]
    stride = (width + LANES - 1) // LANES * LANES
    bands = (height + BAND_PX - 1) // BAND_PX
    starts, members, entry_starts, entries = list_bands(packed, bands)
    image = np.empty((3, height, stride), np.float32)
    flat = image.reshape(-1)
    for _ in prange(threads):
        scratch = scratch_for(stride)
        while True:
            band = take_ticket(ticket[1:])
            if band >= bands:
                break
            own = members[starts[band] : starts[band + 1]]
            draw_band(packed, own, band_of(band, width, height, stride), flat, background, scratch)
    return Drawing(image, order, packed, starts, members, entry_starts, entries)


@njit(cache=True, parallel=True, nogil=True)
def pull_back(scene, lens, drawing, slopes, errors, threads):
    """Gradients of sum(slopes * image) for what `draw` returned.

    slopes: (3, H, stride), zero in the padding; errors: (H, stride). Gaussians that were not drawn have zeros.
    """
    packed, starts, members = drawing.packed, drawing.starts, drawing.members
    order, entry_starts, entries = drawing.order, drawing.entry_starts, drawing.entries
    count, stride = len(scene.means), drawing.image.shape[2]
    bands = len(starts) - 1
    sums = np.empty((len(members), BANDED), np.float32)
    ticket = np.zeros(2, np.int64)
    flat, flat_slopes, flat_errors = drawing.image.reshape(-1), slopes.reshape(-1), errors.reshape(-1)
    for _ in prange(threads):
        scratch = scratch_for(stride)
        while True:
            band = take_ticket(ticket[:1])
            if band >= bands:
                break
            pull_back_band(
                packed,
                members[starts[band] : starts[band + 1]],
                band_of(band, lens.width, lens.height, stride),
                flat,
                flat_slopes,
                flat_errors,
                scratch,
                sums[starts[band] : starts[band + 1]],
            )
    d_means, d_quats = np.zeros((count, 3), np.float32), np.zeros((count, 4), np.float32)
    d_scales, d_opacities = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
    d_sh, d_means2d = np.zeros(scene.sh.shape, np.float32), np.zeros((count, 2), np.float32)
    out = Gradients(d_means, d_quats, d_scales, d_opacities, d_sh, d_means2d, np.zeros(count, np.float32))
    chunks = (len(order) + CHUNK - 1) // CHUNK
    for _ in prange(threads):
        work = np.empty(48, np.float32)
        g = np.empty(BANDED, np.float32)
        while True:
            chunk = take_ticket(ticket[1:])
            if chunk >= chunks:
                break
            for rank in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(order))):
                g[:] = _ZERO
                for entry in range(entry_starts[rank], entry_starts[rank + 1]):
                    for j in range(BANDED):
                        g[j] += sums[entries[entry], j]
                pull_back_one(scene, order[rank], lens, packed[rank], g, work, out)
    return out


@njit(cache=True)
def radii_px(order, packed, count):
    """(count,) larger half extent of each drawn ellipse in px, 0 where it was not drawn."""
    radii = np.zeros(count, np.float32)
    for rank in range(len(order)):
        radii[order[rank]] = max(packed[rank, HALF_X], packed[rank, HALF_Y])
    return radii
