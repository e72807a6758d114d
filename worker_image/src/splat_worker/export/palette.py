"""Vector quantisation of spherical harmonics: a palette of rows by k-means, and a scalar codebook for its numbers.
Arrays in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from splat_worker.scene import Float32

ENTRIES_MAX = 65_536  # a label has 16 bits
ENTRIES_MAX_CPU = 4_096  # 12 CPU seconds for 60 000 Gaussians of degree 1, 34 for 150 000 of degree 2
ROUNDS = 6
CODES = 256
_CODEBOOK_ROUNDS = 20
_CHUNK = 1 << 26  # distances per step of the assignment, 4 bytes each


@dataclass(frozen=True, kw_only=True)
class Palette:
    """entries: (P, D) float32; labels: (N,) uint16, each row's entry."""

    entries: Float32
    labels: NDArray[np.uint16]


def find_palette(rows: Float32, *, entries_max: int = ENTRIES_MAX, seed: int = 0) -> Palette:
    """Lloyd's k-means of (N, D) rows, on the GPU if torch finds one; deterministic for a seed.

    P is entries_max (less on a CPU), halved until there are enough rows. Raises ValueError without rows.
    """
    if len(rows) == 0:
        raise ValueError("a palette needs at least one row")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    count = min(entries_max, ENTRIES_MAX if device.type == "cuda" else ENTRIES_MAX_CPU)
    while count > 64 and count > len(rows):
        count //= 2
    count = min(count, len(rows))
    points = torch.from_numpy(np.ascontiguousarray(rows)).to(device)
    first = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    entries = points[torch.from_numpy(first).to(device)].clone()
    for _ in range(ROUNDS):
        labels = _nearest(points, entries)
        sums = torch.zeros_like(entries).index_add_(0, labels, points)
        sizes = torch.bincount(labels, minlength=count)
        # an entry without rows stays where it is and may become the nearest again
        entries = torch.where(sizes[:, None] > 0, sums / sizes[:, None].clamp(min=1), entries)
    labels = _nearest(points, entries)
    return Palette(entries=entries.cpu().numpy(), labels=labels.cpu().numpy().astype(np.uint16))


def _nearest(points: torch.Tensor, entries: torch.Tensor) -> torch.Tensor:
    """(N,) index of each point's nearest entry. The point's own length cancels out."""
    lengths = (entries * entries).sum(1)
    step = max(1, _CHUNK // len(entries))
    return torch.cat([torch.addmm(lengths, part, entries.T, alpha=-2.0).argmin(1) for part in points.split(step)])


def find_codebook(values: Float32, codes: int = CODES) -> Float32:
    """(codes,) ascending float32 that represent `values`: Lloyd's algorithm in one dimension."""
    ordered = np.sort(values.ravel().astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    # half by rank, half by range: fine steps for common values, and no clipping of rare large ones
    book = np.sort(
        np.concatenate(
            [
                np.quantile(ordered, np.linspace(0, 1, codes // 2)),
                np.linspace(ordered[0], ordered[-1], codes - codes // 2),
            ]
        )
    )
    for _ in range(_CODEBOOK_ROUNDS):
        edges = np.concatenate([[0], np.searchsorted(ordered, (book[1:] + book[:-1]) / 2), [len(ordered)]])
        sizes = np.diff(edges)
        means = (sums[edges[1:]] - sums[edges[:-1]]) / np.maximum(sizes, 1)
        book = np.sort(np.where(sizes > 0, means, book))
    return book.astype(np.float32)


def nearest_codes(values: Float32, book: Float32) -> NDArray[np.uint8]:
    """Index of the nearest codebook entry, in the shape of `values`."""
    middles = (book[1:] + book[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.uint8)
