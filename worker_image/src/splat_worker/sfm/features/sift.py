"""SIFT features as tensor operations: milliseconds per image on a GPU, two seconds on a CPU core.
Arrays in, arrays out. Imports torch, so import it only where needed.

Lowe, Distinctive Image Features from Scale-Invariant Keypoints (IJCV 2004), with the constants of COLMAP 4.2's
extractor: the first octave at twice the size, three levels per octave, at most two orientations per keypoint.
Histograms are filled from a grid of samples that rotates and scales with the feature, so that one matrix product fills
them all.
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
"""Smallest absolute difference of Gaussians of a feature; images are 0 to 1."""
EDGE_RATIO_MAX = 10.0
ORIENTATIONS_MAX = 2
SIDE_MIN_PX = 16  # of an octave; below it no feature's window fits inside

_SIGMA = 1.6  # of an octave's first level, in its own pixels
_SIGMA_CAMERA = 0.5  # blur that an image is assumed to have
_REFINEMENTS = 5
_MOVE_AT = 0.6  # a fitted extremum farther than this from its pixel belongs to the next pixel
_PEAK_SHARE = 0.8  # of the largest peak, from which another orientation counts
_DIRECTIONS = 36
_TURN_WINDOW = 1.5  # sigma of the orientation window, in feature sigmas
_TURN_SAMPLES = 17  # per side, over three of those sigmas each way
_BIN_SIZE = 3.0  # side of a descriptor cell, in feature sigmas
_CELLS, _TURNS = 4, 8
_CELL_SAMPLES = 4  # per side
_CLIPPED_AT = 0.2
_AT_ONCE = 4096  # features described together: 170 MB of weights
_DET_MIN = 1e-20
_FITTED_MAX = 1.5  # a fitted extremum farther than this from its pixel or level is dropped
# level, y, x
_NEIGHBOURS = [(s, y, x) for s in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1)]


@dataclass(frozen=True, kw_only=True)
class Features:
    """keypoints: (N, 4) float32 x, y, scale in px (the first pixel's centre is at 0.5, 0.5), orientation in rad,
    largest scale first; descriptors: (N, 128) uint8."""

    keypoints: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def find_features(images: Tensor, *, features_max: int) -> list[Features]:
    """Features of each of (B, H, W) float32 images, 0 to 1, found on their device; the largest `features_max` of each.

    Takes about 800 bytes per pixel. On a GPU kernel launches dominate, so several images cost little more than one.
    """
    with torch.no_grad():
        found = [part for octave in _octaves(images) for part in _octave_features(octave)]
    if not found:
        none = Features(keypoints=np.zeros((0, 4), np.float32), descriptors=np.zeros((0, 128), np.uint8))
        return [none] * len(images)
    image, keypoints, descriptors = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    out = []
    for number in range(len(images)):
        mine = np.flatnonzero(image == number)
        mine = mine[np.argsort(-keypoints[mine, 2], kind="stable")][:features_max]
        out.append(Features(keypoints=keypoints[mine], descriptors=descriptors[mine]))
    return out


@dataclass(frozen=True, kw_only=True)
class _Octave:
    """levels: (B, LEVELS + 3, H, W) Gaussians of rising sigma; pixel: size of its pixels in pixels of the images."""

    levels: Tensor
    pixel: float


def _octaves(images: Tensor) -> Iterator[_Octave]:
    first, blur = _upsample(images), 2 * _SIGMA_CAMERA
    for number in range(OCTAVES):
        if min(first.shape[1:]) < SIDE_MIN_PX:
            return
        levels = [_blur(first, math.sqrt(_SIGMA**2 - blur**2)) if blur < _SIGMA else first]
        for level in range(1, LEVELS + 3):
            sigma, before = (_SIGMA * 2 ** (n / LEVELS) for n in (level, level - 1))
            levels.append(_blur(levels[-1], math.sqrt(sigma**2 - before**2)))
        yield _Octave(levels=torch.stack(levels, 1), pixel=0.5 * 2**number)
        first, blur = levels[LEVELS][:, ::2, ::2], _SIGMA


def _upsample(images: Tensor) -> Tensor:
    """Every pixel at twice its coordinates, with means between them."""
    count, height, width = images.shape
    out = images.new_empty(count, 2 * height, 2 * width)
    out[:, ::2, ::2] = images
    right = torch.cat([images[:, :, 1:], images[:, :, -1:]], 2)
    out[:, ::2, 1::2] = (images + right) / 2
    out[:, 1::2] = (out[:, ::2] + torch.cat([out[:, 2::2], out[:, -2:-1]], 1)) / 2
    return out


def _blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur that keeps the size; the border is replicated."""
    reach = max(math.ceil(4 * sigma), 1)
    wide = functional.pad(images[None], (reach,) * 4, mode="replicate")[0]
    return blurred(wide, gaussian_taps(sigma, reach))


def _octave_features(octave: _Octave) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Image index (N,), keypoints (N, 4) and descriptors (N, 128), in parts."""
    image, at, sigma = _extrema(octave.levels)
    if not len(at):
        return
    # The nearest level describes the feature.
    level = (LEVELS * torch.log2(sigma / _SIGMA)).round().long().clamp(1, LEVELS)
    gradients, page = _gradients(octave.levels), image * LEVELS + level - 1
    for part in torch.arange(len(at), device=at.device).split(_AT_ONCE):
        index, turn = _orientations(gradients, page[part], at[part], sigma[part])
        chosen = part[index]
        described = _describe(gradients, page[chosen], at[chosen], sigma[chosen], turn)
        xy = at[chosen] * octave.pixel + 0.5
        yield (
            image[chosen],
            torch.cat([xy, (sigma[chosen] * octave.pixel)[:, None], turn[:, None]], 1),
            described,
        )


def _extrema(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Image index (N,), (N, 2) x, y and (N,) sigma of the extrema of the differences of Gaussians, in octave pixels."""
    dog = levels[:, 1:] - levels[:, :-1]
    _, pages, height, width = dog.shape
    peaks = torch.zeros_like(dog[:, 1:-1], dtype=torch.bool)
    for sign in (1.0, -1.0):
        signed = sign * dog
        largest = functional.max_pool2d(signed, 3, 1, padding=1)
        around = torch.maximum(torch.maximum(largest[:, :-2], largest[:, 1:-1]), largest[:, 2:])
        peaks |= (signed[:, 1:-1] >= around) & (signed[:, 1:-1] > 0.8 * PEAK_MIN)
    image, s, y, x = peaks[:, :, 1:-1, 1:-1].nonzero().T
    s, y, x = s + 1, y + 1, x + 1
    flat = dog.reshape(-1)
    steps = torch.tensor([(ds * height + dy) * width + dx for ds, dy, dx in _NEIGHBOURS], device=dog.device)
    stencils = _stencils(dog.device)
    for left in reversed(range(_REFINEMENTS)):
        middle = ((image * pages + s) * height + y) * width + x
        fitted = stencils @ flat[middle + steps[:, None]]
        gradient, hessian = fitted[1:4].T, fitted[4:].T.reshape(-1, 3, 3)
        offset = _solve(hessian, -gradient)
        if left:
            over, under = offset > _MOVE_AT, offset < -_MOVE_AT
            x = x + (over[:, 0] & (x < width - 2)).long() - (under[:, 0] & (x > 1)).long()
            y = y + (over[:, 1] & (y < height - 2)).long() - (under[:, 1] & (y > 1)).long()
    peak = fitted[0] + (gradient * offset).sum(1) / 2
    trace, det = hessian[:, 0, 0] + hessian[:, 1, 1], hessian[:, 0, 0] * hessian[:, 1, 1] - hessian[:, 0, 1] ** 2
    good = (peak.abs() > PEAK_MIN) & (det > 0) & (trace**2 * EDGE_RATIO_MAX < (EDGE_RATIO_MAX + 1) ** 2 * det)
    good &= (offset.abs() < _FITTED_MAX).all(1)
    at = torch.stack([x, y], 1) + offset[:, :2]
    good &= (at >= 0).all(1) & (at[:, 0] <= width - 1) & (at[:, 1] <= height - 1)
    good &= _first_occurrence(middle.masked_fill(~good, -1))  # two starts may converge to one point
    sigma = _SIGMA * 2 ** ((s + offset[:, 2]) / LEVELS)
    return image[good], at[good], sigma[good]


@lru_cache(maxsize=4)
def _stencils(device: torch.device) -> Tensor:
    """(13, 27) finite differences of a neighbourhood: value, gradient (x, y, level) and the nine of the Hessian."""
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


def _first_occurrence(keys: Tensor) -> Tensor:
    """(N,) whether each of (N,) keys is its first occurrence."""
    ordered, index = torch.sort(keys, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    first = torch.zeros_like(new)
    first[index] = new
    return first


def _solve(matrices: Tensor, right: Tensor) -> Tensor:
    """(N, 3) solutions of symmetric (N, 3, 3) systems by cofactors; 0 for singular systems."""
    one, two, three = matrices.unbind(1)
    cofactors = torch.stack(
        [torch.linalg.cross(two, three), torch.linalg.cross(three, one), torch.linalg.cross(one, two)], 1
    )
    det = (one * cofactors[:, 0]).sum(1, keepdim=True)
    solution = (cofactors * right[:, :, None]).sum(1)
    return torch.where(det.abs() > _DET_MIN, solution / det, torch.zeros_like(solution))


def _gradients(levels: Tensor) -> Tensor:
    """(B * LEVELS, H, W, 2) gradients along x and y of the levels that describe features."""
    wide = functional.pad(levels[:, 1 : LEVELS + 1], (1, 1, 1, 1), mode="replicate").flatten(0, 1)
    across = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    return torch.stack([across, down], -1) / 2


def _sample(gradients: Tensor, page: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Length and angle of the gradients at (N, S, 2) points, bilinear; length 0 outside the image."""
    _, height, width, _ = gradients.shape
    x, y = at.unbind(-1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, top = x.floor().long().clamp(0, width - 2), y.floor().long().clamp(0, height - 2)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    corner = (page[:, None] * height + top) * width + left
    flat = gradients.reshape(-1, 2)
    upper = torch.lerp(flat[corner], flat[corner + 1], fx)
    lower = torch.lerp(flat[corner + width], flat[corner + width + 1], fx)
    gradient = torch.lerp(upper, lower, fy)
    return torch.hypot(gradient[..., 0], gradient[..., 1]) * inside, torch.atan2(gradient[..., 1], gradient[..., 0])


def _soft_bins(angle: Tensor, length: Tensor, bins: int, middle: float) -> Tensor:
    """(..., bins) the length, split between the two nearest directions; `middle`: centre of the first bin."""
    where = (angle * (bins / (2 * math.pi)) - middle) % bins
    away = (where[..., None] - torch.arange(bins, device=angle.device)).abs()
    return (1 - torch.minimum(away, bins - away)).clamp(min=0) * length[..., None]


def _grid(side: int, reach: float, device: torch.device) -> Tensor:
    """(side * side, 2) x, y of a square grid with its outer samples at `reach`."""
    line = torch.linspace(-reach, reach, side, device=device)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.reshape(-1), y.reshape(-1)], 1)


def _orientations(gradients: Tensor, page: Tensor, at: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) feature indices and (M,) their orientations in rad: one or two per feature."""
    grid = _grid(_TURN_SAMPLES, 3 * _TURN_WINDOW, at.device)
    square = (grid**2).sum(1)
    window = torch.exp(-0.5 * square / _TURN_WINDOW**2) * (square <= (3 * _TURN_WINDOW) ** 2 + 1e-3)
    length, angle = _sample(gradients, page, at[:, None] + sigma[:, None, None] * grid)
    histogram = _soft_bins(angle, length * window, _DIRECTIONS, 0.5).sum(1)
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


def _describe(gradients: Tensor, page: Tensor, at: Tensor, sigma: Tensor, turn: Tensor) -> Tensor:
    """(N, 128) uint8 RootSIFT: square roots of the histograms as shares of their sum, times 512."""
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
    length, angle = _sample(gradients, page, at[:, None] + _BIN_SIZE * sigma[:, None, None] * turned)
    histogram = weights.T @ _soft_bins(turn[:, None] - angle, length, _TURNS, 0.0)
    flat = functional.normalize(histogram.reshape(-1, 128), dim=1).clamp(max=_CLIPPED_AT)
    root = functional.normalize(flat, p=1.0, dim=1).sqrt()
    return (512 * root).round().clamp(0, 255).to(torch.uint8)
