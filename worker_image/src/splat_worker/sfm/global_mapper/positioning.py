"""Global positioning: all cameras' positions and all points at once, from the directions of observations alone (Pan,
Barath, Pollefeys and Schoenberger, Global Structure-from-Motion Revisited, ECCV 2024), from a random start.

The error of an observation is its direction less its scale times the way from camera to point (Zhuang, Cheong and Lee,
Baseline Desensitizing in Translation Averaging, CVPR 2018). Each scale is an unknown, eliminated first.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.descent import minimised
from splat_worker.sfm.global_mapper.schur import Normal, Structure

HUBER = 0.1
"""Error beyond which it counts linearly (GLOMAP's): the sine of 5.7 degrees."""
SCALE_MIN = 1e-5
STEPS_MAX, SETTLED_AT = 100, 1e-5


@dataclass(frozen=True)
class Positions:
    """One estimate. directions: (O, 3) of length 1, world frame; centres: (N, 3); points: (P, 3); scales: (O,)."""

    structure: Structure
    columns: Tensor
    directions: Tensor
    centres: Tensor
    points: Tensor
    scales: Tensor
    damps_inside: bool = True

    def errors(self) -> tuple[Tensor, Tensor]:
        """(O, 3) ways from camera to point and (O, 3) errors."""
        way = self.points[self.structure.point] - self.centres[self.structure.photo]
        return way, self.directions - self.scales[:, None] * way

    def cost(self) -> Tensor:
        size = self.errors()[1].norm(dim=1)
        return torch.where(size < HUBER, size**2, 2 * HUBER * size - HUBER**2).sum()

    def _parts(self, damping: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        way, error = self.errors()
        weight = HUBER / error.norm(dim=1).clamp(min=HUBER)
        square = (way**2).sum(1).clamp(min=1e-18) * (1 + damping)
        return way, error, weight, square

    def normal(self, damping: float, /) -> Normal:
        way, error, weight, square = self._parts(damping)
        eye = torch.eye(3, dtype=way.dtype, device=way.device)
        block = (weight * self.scales**2)[:, None, None] * (
            eye - way[:, :, None] * way[:, None, :] / square[:, None, None]
        )
        along = ((way * error).sum(1) / square)[:, None] * way
        steep = (weight * self.scales)[:, None] * (error - along)
        return Normal(
            photo_blocks=self.structure.over_photos(block),
            point_blocks=self.structure.over_points(block),
            cross=-block,
            photo_steep=-self.structure.over_photos(steep),
            point_steep=self.structure.over_points(steep),
        )

    def moved(self, photo_step: Tensor, point_step: Tensor, damping: float, /) -> Self:
        way, error, _, square = self._parts(damping)
        change = point_step[self.structure.point] - photo_step[self.structure.photo]
        scale_step = ((way * error).sum(1) - self.scales * (way * change).sum(1)) / square
        return replace(
            self,
            centres=self.centres + photo_step,
            points=self.points + point_step,
            scales=(self.scales + scale_step).clamp(min=SCALE_MIN),
        )


def positions(structure: Structure, directions: Tensor, *, seed: int) -> Positions:
    """Positions up to scale. The start is drawn on the CPU, so that it is the same on every device."""
    draw = torch.Generator().manual_seed(seed)
    device = directions.device
    centres = (2 * torch.rand(structure.photos, 3, generator=draw, dtype=torch.float64) - 1).to(device)
    points = (2 * torch.rand(structure.points, 3, generator=draw, dtype=torch.float64) - 1).to(device)
    start = Positions(
        structure=structure,
        columns=torch.arange(3 * structure.photos, device=device).reshape(-1, 3),
        directions=directions,
        centres=centres,
        points=points,
        scales=torch.ones(len(directions), dtype=torch.float64, device=device),
    )
    return minimised(start, steps_max=STEPS_MAX, settled_at=SETTLED_AT)
