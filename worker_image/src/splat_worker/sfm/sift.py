"""SIFT features of a picture as tensor operations, which a GPU does in milliseconds and a CPU core in two seconds.
Arrays in, arrays out; opens no file and knows no database. Imports torch, so only those who need it import this.

Lowe, Distinctive Image Features from Scale-Invariant Keypoints (IJCV 2004), with the constants of COLMAP 4.2's own
extractor: the first octave at twice the size, three levels an octave, at most two orientations a place. Histograms are
filled from a grid of samples that turns and grows with the feature, not from pixels: one product of matrices for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from splat_worker.blur import blurred, gaussian_taps

OCTAVES = 4
LEVELS = 3
PEAK_MIN = 0.02 / LEVELS
"""Smallest absolute difference of Gaussians of a feature; pictures are 0 to 1."""
EDGE_RATIO_MAX = 10.0
ORIENTATIONS_MAX = 2
SIDE_MIN_PX = 16  # of an octave: below it, no window of a feature lies inside

_SIGMA = 1.6  # of an octave's first level, in its own pixels
_SIGMA_CAMERA = 0.5  # blur that a picture is taken to have
_REFINEMENTS = 5
_MOVE_AT = 0.6  # a fitted top further from its pixel than this belongs to the next one
_PEAK_SHARE = 0.8  # of the largest, from which another orientation counts
_DIRECTIONS = 36
_TURN_WINDOW = 1.5  # sigma of the orientations' window, in the feature's own
_TURN_SAMPLES = 17  # a side, over three of those sigmas either way
_BIN_SIZE = 3.0  # side of a descriptor's cell, in the feature's sigma
_CELLS, _TURNS = 4, 8
_CELL_SAMPLES = 4  # a side
_CLIPPED_AT = 0.2
_AT_ONCE = 4096  # features described together: 170 MB of weights
_DET_MIN = 1e-20
_FITTED_MAX = 1.5  # a fitted top further from its pixel or level is not one
# of a pixel: level, y, x
_NEIGHBOURS = [(s, y, x) for s in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]


@dataclass(frozen=True, kw_only=True)
class Features:
    """places: (N, 4) float32 x, y, scale, orientation, in pixels of the picture (the middle of the first is 0.5, 0.5)
    and rad, largest scale first; descriptors: (N, 128) uint8."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def find_features(pictures: Tensor, *, features_max: int) -> list[Features]:
    """Of each of (B, H, W) float32 pictures, 0 to 1, on their own device; the largest ones where there are more.

    Takes about 800 bytes a pixel. A GPU spends its time on being told what to do, so several pictures cost it little
    more than one.
    """
    with torch.no_grad():
        found = [part for octave in _octaves(pictures) for part in _of_octave(octave)]
    if not found:
        none = Features(places=np.zeros((0, 4), np.float32), descriptors=np.zeros((0, 128), np.uint8))
        return [none] * len(pictures)
    picture, places, descriptors = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    out = []
    for number in range(len(pictures)):
        mine = np.flatnonzero(picture == number)
        mine = mine[np.argsort(-places[mine, 2], kind="stable")][:features_max]
        out.append(Features(places=places[mine], descriptors=descriptors[mine]))
    return out


@dataclass(frozen=True, kw_only=True)
class _Octave:
    """levels: (B, LEVELS + 3, H, W) Gaussians of rising sigma; pixel: its pixels' size in those of the pictures."""

    levels: Tensor
    pixel: float


def _octaves(pictures: Tensor) -> Iterator[_Octave]:
    first, blur = _twice_the_size(pictures), 2 * _SIGMA_CAMERA
    for number in range(OCTAVES):
        if min(first.shape[1:]) < SIDE_MIN_PX:
            return
        levels = [_blurred(first, math.sqrt(_SIGMA**2 - blur**2)) if blur < _SIGMA else first]
        for level in range(1, LEVELS + 3):
            sigma, before = (_SIGMA * 2 ** (n / LEVELS) for n in (level, level - 1))
            levels.append(_blurred(levels[-1], math.sqrt(sigma**2 - before**2)))
        yield _Octave(levels=torch.stack(levels, 1), pixel=0.5 * 2**number)
        first, blur = levels[LEVELS][:, ::2, ::2], _SIGMA


def _twice_the_size(pictures: Tensor) -> Tensor:
    """Every pixel stays where it was, at twice its coordinates; those between are means."""
    count, height, width = pictures.shape
    out = pictures.new_empty(count, 2 * height, 2 * width)
    out[:, ::2, ::2] = pictures
    right = torch.cat([pictures[:, :, 1:], pictures[:, :, -1:]], 2)
    out[:, ::2, 1::2] = (pictures + right) / 2
    out[:, 1::2] = (out[:, ::2] + torch.cat([out[:, 2::2], out[:, -2:-1]], 1)) / 2
    return out


def _blurred(pictures: Tensor, sigma: float) -> Tensor:
    """As large as before: a picture's last pixels go on beyond its border."""
    reach = max(math.ceil(4 * sigma), 1)
    wide = functional.pad(pictures[None], (reach,) * 4, mode="replicate")[0]
    return blurred(wide, gaussian_taps(sigma, reach))


def _of_octave(octave: _Octave) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Picture's number (N,), places (N, 4) and descriptors (N, 128), some at a time."""
    picture, at, sigma = _tops(octave.levels)
    if not len(at):
        return
    # at which of the levels a feature is looked at: the nearest
    level = (LEVELS * torch.log2(sigma / _SIGMA)).round().long().clamp(1, LEVELS)
    slopes, page = _slopes(octave.levels), picture * LEVELS + level - 1
    for part in torch.arange(len(at), device=at.device).split(_AT_ONCE):
        index, turn = _orientations(slopes, page[part], at[part], sigma[part])
        chosen = part[index]
        described = _described(slopes, page[chosen], at[chosen], sigma[chosen], turn)
        xy = at[chosen] * octave.pixel + 0.5
        yield (
            picture[chosen],
            torch.cat([xy, (sigma[chosen] * octave.pixel)[:, None], turn[:, None]], 1),
            described,
        )


def _tops(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Picture's number (N,), (N, 2) x, y and (N,) sigma of the extremes of the differences of Gaussians, in pixels of
    the octave."""
    dog = levels[:, 1:] - levels[:, :-1]
    _, pages, height, width = dog.shape
    peaks = torch.zeros_like(dog[:, 1:-1], dtype=torch.bool)
    for sign in (1.0, -1.0):
        signed = sign * dog
        largest = functional.max_pool2d(signed, 3, 1, padding=1)
        around = torch.maximum(torch.maximum(largest[:, :-2], largest[:, 1:-1]), largest[:, 2:])
        peaks |= (signed[:, 1:-1] >= around) & (signed[:, 1:-1] > 0.8 * PEAK_MIN)
    picture, s, y, x = peaks[:, :, 1:-1, 1:-1].nonzero().T
    s, y, x = s + 1, y + 1, x + 1
    flat = dog.reshape(-1)
    steps = torch.tensor([(ds * height + dy) * width + dx for ds, dy, dx in _NEIGHBOURS], device=dog.device)
    stencils = _stencils(dog.device)
    for left in reversed(range(_REFINEMENTS)):
        middle = ((picture * pages + s) * height + y) * width + x
        fitted = stencils @ flat[middle + steps[:, None]]
        slope, bend = fitted[1:4].T, fitted[4:].T.reshape(-1, 3, 3)
        offset = _solved(bend, -slope)
        if left:
            over, under = offset > _MOVE_AT, offset < -_MOVE_AT
            x = x + (over[:, 0] & (x < width - 2)).long() - (under[:, 0] & (x > 1)).long()
            y = y + (over[:, 1] & (y < height - 2)).long() - (under[:, 1] & (y > 1)).long()
    peak = fitted[0] + (slope * offset).sum(1) / 2
    trace, det = bend[:, 0, 0] + bend[:, 1, 1], bend[:, 0, 0] * bend[:, 1, 1] - bend[:, 0, 1] ** 2
    good = (peak.abs() > PEAK_MIN) & (det > 0) & (trace**2 * EDGE_RATIO_MAX < (EDGE_RATIO_MAX + 1) ** 2 * det)
    good &= (offset.abs() < _FITTED_MAX).all(1)
    at = torch.stack([x, y], 1) + offset[:, :2]
    good &= (at >= 0).all(1) & (at[:, 0] <= width - 1) & (at[:, 1] <= height - 1)
    good &= _first_of_each(middle.masked_fill(~good, -1))  # two starts may have moved to one place
    sigma = _SIGMA * 2 ** ((s + offset[:, 2]) / LEVELS)
    return picture[good], at[good], sigma[good]


@lru_cache(maxsize=4)
def _stencils(device: torch.device) -> Tensor:
    """(13, 27): of a neighbourhood its middle, the slopes along x, y and level, and the nine bends."""
    weight = {neighbour: i for i, neighbour in enumerate(_NEIGHBOURS)}
    rows = torch.zeros(13, 27)
    rows[0, weight[0, 0, 0]] = 1.0
    units = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    for i, one in enumerate(units):
        back = tuple(-c for c in one)
        rows[1 + i, weight[one]] = 0.5
        rows[1 + i, weight[back]] = -0.5
        for j, other in enumerate(units):
            row = rows[4 + 3 * i + j]
            if i == j:
                row[weight[one]], row[weight[back]], row[weight[0, 0, 0]] = 1.0, 1.0, -2.0
                continue
            for sign_one, sign_other in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
                corner = tuple(sign_one * a + sign_other * b for a, b in zip(one, other, strict=True))
                row[weight[corner]] = sign_one * sign_other / 4
    return rows.to(device)


def _first_of_each(keys: Tensor) -> Tensor:
    """Of (N,) keys whether each is the first of its kind."""
    ordered, index = torch.sort(keys, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    first = torch.zeros_like(new)
    first[index] = new
    return first


def _solved(matrices: Tensor, right: Tensor) -> Tensor:
    """(N, 3) solutions of symmetric (N, 3, 3) systems by their cofactors; 0 where there is none."""
    one, two, three = matrices.unbind(1)
    cofactors = torch.stack(
        [torch.linalg.cross(two, three), torch.linalg.cross(three, one), torch.linalg.cross(one, two)], 1
    )
    det = (one * cofactors[:, 0]).sum(1, keepdim=True)
    solution = (cofactors * right[:, :, None]).sum(1)
    return torch.where(det.abs() > _DET_MIN, solution / det, torch.zeros_like(solution))


def _slopes(levels: Tensor) -> Tensor:
    """(B * LEVELS, H, W, 2) slopes along x and y of the levels that features are looked at on."""
    wide = functional.pad(levels[:, 1 : LEVELS + 1], (1, 1, 1, 1), mode="replicate").flatten(0, 1)
    across = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    return torch.stack([across, down], -1) / 2


def _sampled(slopes: Tensor, page: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Length and angle of the slopes at (N, S, 2) places, between pixels by both neighbours; 0 outside the picture."""
    _, height, width, _ = slopes.shape
    x, y = at.unbind(-1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, top = x.floor().long().clamp(0, width - 2), y.floor().long().clamp(0, height - 2)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    corner = (page[:, None] * height + top) * width + left
    flat = slopes.reshape(-1, 2)
    upper = torch.lerp(flat[corner], flat[corner + 1], fx)
    lower = torch.lerp(flat[corner + width], flat[corner + width + 1], fx)
    slope = torch.lerp(upper, lower, fy)
    return torch.hypot(slope[..., 0], slope[..., 1]) * inside, torch.atan2(slope[..., 1], slope[..., 0])


def _shared_out(angle: Tensor, length: Tensor, bins: int, middle: float) -> Tensor:
    """(..., bins) the length, given to the two nearest of `bins` directions; the first one's middle is at `middle`."""
    where = (angle * (bins / (2 * math.pi)) - middle) % bins
    away = (where[..., None] - torch.arange(bins, device=angle.device)).abs()
    return (1 - torch.minimum(away, bins - away)).clamp(min=0) * length[..., None]


def _grid(side: int, reach: float, device: torch.device) -> Tensor:
    """(side * side, 2) x, y of a square grid whose outer samples are at `reach`."""
    line = torch.linspace(-reach, reach, side, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1)


def _orientations(slopes: Tensor, page: Tensor, at: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) indices of features and (M,) their main directions in rad: one or two of each."""
    grid = _grid(_TURN_SAMPLES, 3 * _TURN_WINDOW, at.device)
    square = (grid**2).sum(1)
    window = torch.exp(-0.5 * square / _TURN_WINDOW**2) * (square <= (3 * _TURN_WINDOW) ** 2 + 1e-3)
    length, angle = _sampled(slopes, page, at[:, None] + sigma[:, None, None] * grid)
    histogram = _shared_out(angle, length * window, _DIRECTIONS, 0.5).sum(1)
    for _ in range(6):
        histogram = (histogram.roll(1, 1) + histogram + histogram.roll(-1, 1)) / 3
    before, after = histogram.roll(1, 1), histogram.roll(-1, 1)
    top = (histogram > before) & (histogram > after)
    top &= histogram > _PEAK_SHARE * histogram.amax(1, keepdim=True)
    best, direction = (histogram * top).topk(ORIENTATIONS_MAX, 1)
    bend = before + after - 2 * histogram
    offset = (before - after) / (2 * torch.where(bend < 0, bend, -torch.ones_like(bend)))
    turn = (direction + offset.gather(1, direction) + 0.5) * (2 * math.pi / _DIRECTIONS)
    index, which = (best > 0).nonzero().T
    return index, turn[index, which]


def _described(slopes: Tensor, page: Tensor, at: Tensor, sigma: Tensor, turn: Tensor) -> Tensor:
    """(N, 128) uint8: square roots of the histograms as shares of their sum (RootSIFT), times 512."""
    side = (_CELLS + 1) * _CELL_SAMPLES
    grid = _grid(side, (_CELLS + 1) / 2 - 0.5 / _CELL_SAMPLES, at.device)
    middles = torch.arange(_CELLS, device=at.device) - (_CELLS - 1) / 2
    shares = (1 - (grid[:, :, None] - middles).abs()).clamp(min=0)  # (S, x and y, cells)
    window = torch.exp(-0.5 * (grid**2).sum(1) / (_CELLS / 2) ** 2)
    weights = (shares[:, 1, :, None] * shares[:, 0, None, :]).reshape(-1, _CELLS * _CELLS) * window[:, None]
    cos, sin = torch.cos(turn), torch.sin(turn)
    turned = torch.stack(
        [
            cos[:, None] * grid[:, 0] - sin[:, None] * grid[:, 1],
            sin[:, None] * grid[:, 0] + cos[:, None] * grid[:, 1],
        ],
        -1,
    )
    length, angle = _sampled(slopes, page, at[:, None] + _BIN_SIZE * sigma[:, None, None] * turned)
    histogram = weights.T @ _shared_out(turn[:, None] - angle, length, _TURNS, 0.0)
    flat = functional.normalize(histogram.reshape(-1, 128), dim=1).clamp(max=_CLIPPED_AT)
    root = functional.normalize(flat, p=1.0, dim=1).sqrt()
    return (512 * root).round().clamp(0, 255).to(torch.uint8)
