"""SIFT features of a picture as tensor operations, which a GPU does in milliseconds and a CPU core in a second.
Arrays in, arrays out; opens no file and knows no database. Imports torch, so only those who need it import this.

Lowe, Distinctive Image Features from Scale-Invariant Keypoints (IJCV 2004), with the constants of COLMAP 4.2's own
extractor: the first octave at twice the size, three levels an octave, at most two orientations a place. Histograms are
filled from a grid of samples that turns and grows with the feature, not from pixels: one product of matrices for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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
_AT_ONCE = 2048  # features described together: 75 MB of weights


@dataclass(frozen=True, kw_only=True)
class Features:
    """places: (N, 4) float32 x, y, scale, orientation, in pixels of the picture (the middle of the first is 0.5, 0.5)
    and rad, largest scale first; descriptors: (N, 128) uint8."""

    places: Tensor
    descriptors: Tensor


def find_features(picture: Tensor, *, features_max: int) -> Features:
    """Of a (H, W) float32 picture, 0 to 1, on its own device; the largest ones where there are more."""
    with torch.no_grad():
        found = [part for octave in _octaves(picture) for part in _of_octave(octave)]
    places = torch.cat([part.places for part in found] or [picture.new_zeros(0, 4)])
    descriptors = torch.cat([part.descriptors for part in found] or [picture.new_zeros(0, 128, dtype=torch.uint8)])
    order = torch.argsort(places[:, 2], descending=True, stable=True)[:features_max]
    return Features(places=places[order], descriptors=descriptors[order])


@dataclass(frozen=True, kw_only=True)
class _Octave:
    """levels: (LEVELS + 3, H, W) Gaussians of rising sigma; pixel: its pixels' size in those of the picture."""

    levels: Tensor
    pixel: float


def _octaves(picture: Tensor) -> Iterator[_Octave]:
    first, blur = _twice_the_size(picture), 2 * _SIGMA_CAMERA
    for number in range(OCTAVES):
        if min(first.shape) < SIDE_MIN_PX:
            return
        levels = [_blurred(first, math.sqrt(_SIGMA**2 - blur**2)) if blur < _SIGMA else first]
        for level in range(1, LEVELS + 3):
            sigma, before = (_SIGMA * 2 ** (n / LEVELS) for n in (level, level - 1))
            levels.append(_blurred(levels[-1], math.sqrt(sigma**2 - before**2)))
        yield _Octave(levels=torch.stack(levels), pixel=0.5 * 2**number)
        first, blur = levels[LEVELS][::2, ::2], _SIGMA


def _twice_the_size(picture: Tensor) -> Tensor:
    """Every pixel stays where it was, at twice its coordinates; those between are means."""
    height, width = picture.shape
    out = picture.new_empty(2 * height, 2 * width)
    out[::2, ::2] = picture
    right = torch.cat([picture[:, 1:], picture[:, -1:]], 1)
    out[::2, 1::2] = (picture + right) / 2
    out[1::2] = (out[::2] + torch.cat([out[2::2], out[-2:-1]])) / 2
    return out


def _blurred(picture: Tensor, sigma: float) -> Tensor:
    """Sums of shifted pictures: a convolution would be rounded to TF32, and differences of 0.007 are looked for."""
    reach = max(math.ceil(4 * sigma), 1)
    taps = [math.exp(-0.5 * (offset / sigma) ** 2) for offset in range(-reach, reach + 1)]
    for dim in (0, 1):
        pads = (0, 0, reach, reach) if dim == 0 else (reach, reach, 0, 0)
        wide = functional.pad(picture[None, None], pads, mode="replicate")[0, 0]
        size = picture.shape[dim]
        picture = torch.zeros_like(picture)
        for start, tap in enumerate(taps):
            picture.add_(wide.narrow(dim, start, size), alpha=tap / sum(taps))
    return picture


def _of_octave(octave: _Octave) -> Iterator[Features]:
    at, sigma = _tops(octave.levels)
    if not len(at):
        return
    # at which of the levels a feature is looked at: the nearest
    level = (LEVELS * torch.log2(sigma / _SIGMA)).round().long().clamp(1, LEVELS)
    slopes = _slopes(octave.levels)
    for part in torch.arange(len(at), device=at.device).split(_AT_ONCE):
        index, turn = _orientations(slopes, at[part], sigma[part], level[part])
        chosen = part[index]
        described = _described(slopes, at[chosen], sigma[chosen], level[chosen], turn)
        xy = at[chosen] * octave.pixel + 0.5
        places = torch.cat([xy, (sigma[chosen] * octave.pixel)[:, None], turn[:, None]], 1)
        yield Features(places=places, descriptors=described)


def _tops(levels: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 2) x, y and (N,) sigma of the extremes of the differences of Gaussians, in pixels of the octave."""
    dog = levels[1:] - levels[:-1]
    _, height, width = dog.shape
    peaks = torch.zeros_like(dog[1:-1], dtype=torch.bool)
    for sign in (1.0, -1.0):
        signed = sign * dog
        largest = functional.max_pool2d(signed, 3, 1, padding=1)
        around = torch.maximum(torch.maximum(largest[:-2], largest[1:-1]), largest[2:])
        peaks |= (signed[1:-1] >= around) & (signed[1:-1] > 0.8 * PEAK_MIN)
    s, y, x = (peaks[:, 1:-1, 1:-1]).nonzero().T + 1
    flat = dog.reshape(-1)

    def value(ds: int, dy: int, dx: int) -> Tensor:
        return flat[((s + ds) * height + y + dy) * width + x + dx]

    for left in reversed(range(_REFINEMENTS)):
        centre = value(0, 0, 0)
        gx, gy, gs = (
            (value(*d) - value(*(-c for c in d))) / 2  # type: ignore[arg-type]
            for d in ((0, 0, 1), (0, 1, 0), (1, 0, 0))
        )
        hxx, hyy, hss = (
            value(*d) + value(*(-c for c in d)) - 2 * centre  # type: ignore[arg-type]
            for d in ((0, 0, 1), (0, 1, 0), (1, 0, 0))
        )
        hxy = (value(0, 1, 1) + value(0, -1, -1) - value(0, -1, 1) - value(0, 1, -1)) / 4
        hxs = (value(1, 0, 1) + value(-1, 0, -1) - value(-1, 0, 1) - value(1, 0, -1)) / 4
        hys = (value(1, 1, 0) + value(-1, -1, 0) - value(-1, 1, 0) - value(1, -1, 0)) / 4
        dx, dy, ds = _solved((hxx, hyy, hss, hxy, hxs, hys), (-gx, -gy, -gs))
        if left:
            x = x + (((dx > _MOVE_AT) & (x < width - 2)).long() - ((dx < -_MOVE_AT) & (x > 1)).long())
            y = y + (((dy > _MOVE_AT) & (y < height - 2)).long() - ((dy < -_MOVE_AT) & (y > 1)).long())
    peak = centre + (gx * dx + gy * dy + gs * ds) / 2
    trace, det = hxx + hyy, hxx * hyy - hxy * hxy
    good = (peak.abs() > PEAK_MIN) & (det > 0) & (trace**2 * EDGE_RATIO_MAX < (EDGE_RATIO_MAX + 1) ** 2 * det)
    good &= (dx.abs() < 1.5) & (dy.abs() < 1.5) & (ds.abs() < 1.5)
    fx, fy = x + dx, y + dy
    good &= (fx >= 0) & (fx <= width - 1) & (fy >= 0) & (fy <= height - 1)
    # two starts may have moved to one place
    good &= _first_of_each(((s * height + y) * width + x).masked_fill(~good, -1))
    sigma = _SIGMA * 2 ** ((s + ds) / LEVELS)
    return torch.stack([fx[good], fy[good]], 1), sigma[good]


def _first_of_each(keys: Tensor) -> Tensor:
    """Of (N,) keys whether each is the first of its kind."""
    ordered, index = torch.sort(keys, stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    first = torch.zeros_like(new)
    first[index] = new
    return first


def _solved(matrix: tuple[Tensor, ...], right: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Solutions of symmetric 3x3 systems (the diagonal, then xy, xz, yz) by cofactors; 0 where there is none."""
    (a, b, c, ab, ac, bc), (x, y, z) = matrix, right
    caa, cab, cac = b * c - bc * bc, ac * bc - ab * c, ab * bc - ac * b
    cbb, cbc, ccc = a * c - ac * ac, ab * ac - a * bc, a * b - ab * ab
    det = a * caa + ab * cab + ac * cac
    scale = torch.where(det.abs() > 1e-20, 1 / det, torch.zeros_like(det))
    return (
        (caa * x + cab * y + cac * z) * scale,
        (cab * x + cbb * y + cbc * z) * scale,
        (cac * x + cbc * y + ccc * z) * scale,
    )


def _slopes(levels: Tensor) -> Tensor:
    """(LEVELS, H, W, 2) slopes along x and y of the levels that features are looked at on."""
    chosen = functional.pad(levels[None, 1 : LEVELS + 1], (1, 1, 1, 1), mode="replicate")[0]
    across = chosen[:, 1:-1, 2:] - chosen[:, 1:-1, :-2]
    down = chosen[:, 2:, 1:-1] - chosen[:, :-2, 1:-1]
    return torch.stack([across, down], -1) / 2


def _sampled(slopes: Tensor, at: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """Length and angle of the slopes at (N, S, 2) places, between pixels by both neighbours; 0 outside the picture."""
    _, height, width, _ = slopes.shape
    x, y = at.unbind(-1)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    left, top = x.floor().long().clamp(0, width - 2), y.floor().long().clamp(0, height - 2)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    corner = ((level[:, None] - 1) * height + top) * width + left
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


def _orientations(slopes: Tensor, at: Tensor, sigma: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """(M,) indices of features and (M,) their main directions in rad: one or two of each."""
    grid = _grid(_TURN_SAMPLES, 3 * _TURN_WINDOW, at.device)
    square = (grid**2).sum(1)
    window = torch.exp(-0.5 * square / _TURN_WINDOW**2) * (square <= (3 * _TURN_WINDOW) ** 2 + 1e-3)
    length, angle = _sampled(slopes, at[:, None] + sigma[:, None, None] * grid, level)
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


def _described(slopes: Tensor, at: Tensor, sigma: Tensor, level: Tensor, turn: Tensor) -> Tensor:
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
    length, angle = _sampled(slopes, at[:, None] + _BIN_SIZE * sigma[:, None, None] * turned, level)
    histogram = weights.T @ _shared_out(turn[:, None] - angle, length, _TURNS, 0.0)
    flat = functional.normalize(histogram.reshape(-1, 128), dim=1).clamp(max=_CLIPPED_AT)
    root = functional.normalize(flat, p=1.0, dim=1).sqrt()
    return (512 * root).round().clamp(0, 255).to(torch.uint8)
