"""One damped step of least squares over photos and points: points are eliminated, photos are solved by Cholesky.
Pure: index tables and blocks in, steps out. All sums have a fixed order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.algebra import inverse3, run_sums, solved_large

PRODUCTS_AT_ONCE = 400_000
"""Products of two blocks in memory at once: 200 MB at 8x8."""


@dataclass(frozen=True)
class Structure:
    """Which photo sees which point. photo, point: (O,), sorted by point and then by photo, each pair once."""

    photos: int
    points: int
    photo: Tensor
    point: Tensor

    @cached_property
    def per_point(self) -> Tensor:
        """(P,) observations of each point."""
        return torch.bincount(self.point, minlength=self.points)

    @cached_property
    def per_photo(self) -> Tensor:
        """(N,)"""
        return torch.bincount(self.photo, minlength=self.photos)

    @cached_property
    def by_photo(self) -> Tensor:
        """(O,) observations in the order of photos."""
        return torch.sort(self.photo, stable=True).indices

    @cached_property
    def both(self) -> tuple[Tensor, Tensor]:
        """(Q,) observations a and b of the same point, the photo of a before that of b."""
        here = torch.arange(len(self.point), device=self.point.device)
        first, second = [], []
        for step in range(1, int(self.per_point.max()) if len(self.point) else 0):
            a = here[:-step][self.point[:-step] == self.point[step:]]
            first.append(a)
            second.append(a + step)
        empty = here[:0]
        a, b = torch.cat([empty, *first]), torch.cat([empty, *second])
        order = torch.sort(self.photo[a] * self.photos + self.photo[b], stable=True).indices
        return a[order], b[order]

    @cached_property
    def blocks(self) -> tuple[Tensor, Tensor, list[tuple[int, int, int, int]]]:
        """Of the pairs of photos that share points, in order: (B,) key first * N + second, (B,) shared points, and the
        runs that fit in memory as (first block, last, first product, last)."""
        a, b = self.both
        keys, shared = torch.unique_consecutive(self.photo[a] * self.photos + self.photo[b], return_counts=True)
        ends = [0, *shared.cumsum(0).tolist()]
        runs, begin = [], 0
        for block in range(1, len(ends)):
            if block == len(ends) - 1 or ends[block + 1] - ends[begin] > PRODUCTS_AT_ONCE:
                runs.append((begin, block, ends[begin], ends[block]))
                begin = block
        return keys, shared, runs

    def over_points(self, rows: Tensor) -> Tensor:
        """(P, ...) sums of rows (O, ...)."""
        return run_sums(rows, self.per_point)

    def over_photos(self, rows: Tensor) -> Tensor:
        """(N, ...) sums of rows (O, ...)."""
        return run_sums(rows[self.by_photo], self.per_photo)


def structure_of(photo: Tensor, point: Tensor, photos: int) -> tuple[Structure, Tensor, Tensor]:
    """The structure of observations in any order, the order (O,) it sorts them in, and the (P,) numbers of its points.
    Points are numbered anew, without gaps."""
    order = torch.sort(point * photos + photo, stable=True).indices
    kept, point = torch.unique_consecutive(point[order], return_inverse=True)
    return Structure(photos, len(kept), photo[order], point), order, kept


@dataclass(frozen=True, kw_only=True)
class Normal:
    """Normal equations. photo_blocks: (N, C, C); point_blocks: (P, 3, 3); cross: (O, C, 3); photo_steep: (N, C) and
    point_steep: (P, 3), the negative gradients."""

    photo_blocks: Tensor
    point_blocks: Tensor
    cross: Tensor
    photo_steep: Tensor
    point_steep: Tensor


def step_of(structure: Structure, normal: Normal, damping: float, columns: Tensor) -> tuple[Tensor, Tensor] | None:
    """Steps of photos (N, C) and points (P, 3); None if the system is not positive definite.

    damping: share of each diagonal entry that is added to it (Marquardt). columns: (N, C) unknown of each parameter of
    a photo, numbered without gaps. Photos that share an unknown, such as a focal length, take the same step in it.
    """
    photos, size = columns.shape
    points = _damped(normal.point_blocks, damping)
    inverse = inverse3(points)
    through = normal.cross @ inverse[structure.point]
    reduced = torch.zeros(photos, photos, size, size, dtype=through.dtype, device=through.device)
    a, b = structure.both
    keys, shared, runs = structure.blocks
    for begin, end, first, last in runs:
        product = through[a[first:last]] @ normal.cross[b[first:last]].transpose(1, 2)
        at = keys[begin:end]
        sums = run_sums(product, shared[begin:end])
        reduced[at // photos, at % photos] = -sums
        reduced[at % photos, at // photos] = -sums.transpose(1, 2)
    here = torch.arange(photos, device=columns.device)
    own = structure.over_photos(through @ normal.cross.transpose(1, 2))
    reduced[here, here] = _damped(normal.photo_blocks, damping) - own
    right = normal.photo_steep - structure.over_photos(
        (through @ normal.point_steep[structure.point][..., None]).squeeze(-1)
    )
    matrix = reduced.transpose(1, 2).reshape(photos * size, photos * size)
    matrix, right = _shared(matrix, right.reshape(-1), columns.reshape(-1))
    solved = solved_large(matrix, right)
    if solved is None or not bool(torch.isfinite(solved).all()):
        return None
    photo_step = solved[columns]
    back = (normal.cross.transpose(1, 2) @ photo_step[structure.photo][..., None]).squeeze(-1)
    point_step = (inverse @ (normal.point_steep - structure.over_points(back))[..., None]).squeeze(-1)
    return photo_step, point_step


def _damped(blocks: Tensor, damping: float) -> Tensor:
    diagonal = blocks.diagonal(dim1=-2, dim2=-1)
    return blocks + torch.diag_embed(damping * diagonal.clamp(min=1e-9))


def _shared(matrix: Tensor, right: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the same unknown, added up."""
    order = torch.sort(columns, stable=True).indices
    if len(order) == 0:
        return matrix, right
    lengths = torch.bincount(columns)
    rows = run_sums(matrix[order][:, order], lengths)
    return run_sums(rows.T.contiguous(), lengths), run_sums(right[order], lengths)
