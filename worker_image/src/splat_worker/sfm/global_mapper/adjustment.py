"""Bundle adjustment: cameras, lenses and points that fit the pixels, by COLMAP's SIMPLE_RADIAL model.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.algebra import inverse3, rotation_of, run_sums, skew, unit
from splat_worker.sfm.global_mapper.schur import Normal, Structure, structure_of

POSE, LENS = 6, 2
DEPTH_MIN = 1e-6
BEHIND_PX = 1e4
"""Error of a point behind a camera: large, and without a slope."""


@dataclass(frozen=True)
class Bundle:
    """One estimate. rotations: (N, 3, 3) world to camera, shifts: (N, 3); lens: (N,) rows of lenses (G, 4); points:
    (P, 3); pixels: (O, 2); robust_px: error beyond which it counts linearly, None to count all squared;
    keeps_rotations, keeps_lenses: which stay as they are."""

    structure: Structure
    rotations: Tensor
    shifts: Tensor
    lens: Tensor
    lenses: Tensor
    points: Tensor
    pixels: Tensor
    robust_px: float | None = None
    keeps_rotations: bool = False
    keeps_lenses: bool = False
    damps_inside: bool = False

    @property
    def columns(self) -> Tensor:
        poses = torch.arange(POSE * len(self.shifts), device=self.lens.device).reshape(-1, POSE)
        row = torch.unique(self.lens, return_inverse=True)[1]
        lenses = POSE * len(self.shifts) + LENS * row[:, None] + torch.arange(LENS, device=self.lens.device)
        return torch.cat([poses, lenses], 1)

    @property
    def centres(self) -> Tensor:
        """(N, 3) world frame."""
        return -(self.rotations.transpose(1, 2) @ self.shifts[..., None]).squeeze(-1)

    def local(self) -> Tensor:
        """(O, 3) points in the frames of their cameras."""
        photo, point = self.structure.photo, self.structure.point
        return (self.rotations[photo] @ self.points[point][..., None]).squeeze(-1) + self.shifts[photo]

    def errors_px(self) -> Tensor:
        """(O, 2) projections less pixels."""
        return self._projected(self.local())[0]

    def _projected(self, local: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        lens = self.lenses[self.lens[self.structure.photo]]
        ahead = local[:, 2] > DEPTH_MIN
        depth = torch.where(ahead, local[:, 2], torch.ones_like(ahead, dtype=local.dtype))
        flat = local[:, :2] / depth[:, None]
        square = (flat**2).sum(1)
        bend = 1 + lens[:, 3] * square
        error = lens[:, :1] * bend[:, None] * flat + lens[:, 1:3] - self.pixels
        error = torch.where(ahead[:, None], error, torch.full_like(error, BEHIND_PX))
        return error, flat, depth, bend, ahead

    def cost(self) -> Tensor:
        square = (self.errors_px() ** 2).sum(1)
        if self.robust_px is None:
            return square.sum()
        size = square.sqrt()
        return torch.where(size < self.robust_px, square, 2 * self.robust_px * size - self.robust_px**2).sum()

    def normal(self, _damping: float, /) -> Normal:
        local = self.local()
        error, flat, depth, bend, ahead = self._projected(local)
        lens = self.lenses[self.lens[self.structure.photo]]
        focal, k1 = lens[:, 0], lens[:, 3]
        eye = torch.eye(2, dtype=flat.dtype, device=flat.device)
        by_flat = focal[:, None, None] * (
            bend[:, None, None] * eye + 2 * k1[:, None, None] * flat[:, :, None] * flat[:, None, :]
        )
        by_local = torch.cat([by_flat, -by_flat @ flat[..., None]], 2) / depth[:, None, None]
        by_point = by_local @ self.rotations[self.structure.photo]
        turned = -by_local @ skew(local)
        moved = by_local
        by_focal = (focal * bend)[:, None] * flat
        by_k1 = (focal * (flat**2).sum(1))[:, None] * flat
        if self.keeps_rotations:
            turned = torch.zeros_like(turned)
        if self.keeps_lenses:
            by_focal, by_k1 = torch.zeros_like(by_focal), torch.zeros_like(by_k1)
        weight = ahead.to(flat.dtype)
        if self.robust_px is not None:
            weight = weight * self.robust_px / error.norm(dim=1).clamp(min=self.robust_px)
        by_photo = torch.cat([turned, moved, by_focal[..., None], by_k1[..., None]], 2)
        heavy = by_photo.transpose(1, 2) * weight[:, None, None]
        light = by_point.transpose(1, 2) * weight[:, None, None]
        minus = -error[..., None]
        every = torch.cat([heavy @ by_photo, heavy @ minus], 2)
        photo = self.structure.over_photos(every)
        point = self.structure.over_points(torch.cat([light @ by_point, light @ minus], 2))
        blocks = photo[..., :-1]
        kept = torch.zeros(POSE + LENS, dtype=flat.dtype, device=flat.device)
        if self.keeps_rotations:
            kept[:3] = 1
        if self.keeps_lenses:
            kept[POSE:] = 1
        return Normal(
            photo_blocks=blocks + torch.diag(kept),
            point_blocks=point[..., :-1],
            cross=heavy @ by_point,
            photo_steep=photo[..., -1],
            point_steep=point[..., -1],
        )

    def moved(self, photo_step: Tensor, point_step: Tensor, _damping: float, /) -> Self:
        """Cameras turn about their centres; focal lengths grow by shares."""
        users = torch.nn.functional.one_hot(self.lens, len(self.lenses)).to(self.lenses.dtype)
        step = (users / users.sum(0).clamp(min=1)).T @ photo_step[:, POSE:]  # photos of one lens have the same
        focal = self.lenses[:, :1] * torch.exp(step[:, :1].clamp(-0.5, 0.5))
        lenses = torch.cat([focal, self.lenses[:, 1:3], self.lenses[:, 3:] + step[:, 1:]], 1)
        turn = rotation_of(photo_step[:, :3])
        return replace(
            self,
            rotations=turn @ self.rotations,
            shifts=(turn @ self.shifts[..., None]).squeeze(-1) + photo_step[:, 3:6],
            lenses=lenses,
            points=self.points + point_step,
        )

    def without_photos(self, stays: Tensor) -> tuple[Self, Tensor]:
        """Only the photos that stay, (N,) bool. Also returns the rows of the observations that stay."""
        bundle, rows = self.only(stays[self.structure.photo], least=2)
        one = bundle.structure
        number = stays.cumsum(0) - 1
        structure = Structure(int(stays.sum()), one.points, number[one.photo], one.point)
        return replace(
            bundle,
            structure=structure,
            rotations=self.rotations[stays],
            shifts=self.shifts[stays],
            lens=self.lens[stays],
        ), rows

    def only(self, observations: Tensor, *, least: int) -> tuple[Self, Tensor]:
        """Without the other observations (O,) bool, and without points of fewer than `least`. Also returns the rows of
        the observations that stay."""
        rows = observations.nonzero()[:, 0]
        point = self.structure.point[rows]
        rows = rows[torch.bincount(point, minlength=self.structure.points)[point] >= least]
        structure, order, kept = structure_of(
            self.structure.photo[rows], self.structure.point[rows], self.structure.photos
        )
        rows = rows[order]
        return replace(self, structure=structure, points=self.points[kept], pixels=self.pixels[rows]), rows


def angles_deg(bundle: Bundle) -> Tensor:
    """(P,) largest angle between two rays to a point."""
    structure = bundle.structure
    rays = unit(bundle.points[structure.point] - bundle.centres[structure.photo])
    a, b = structure.both
    cosine = torch.ones(structure.points, dtype=rays.dtype, device=rays.device)
    cosine = cosine.scatter_reduce(0, structure.point[a], (rays[a] * rays[b]).sum(1), "amin")
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def triangulated(structure: Structure, centres: Tensor, directions: Tensor, *, steps: int = 5) -> Tensor:
    """(P, 3) the points nearest to the rays of their observations, reweighted so that wrong rays count less.
    directions: (O, 3) of length 1, world frame."""
    eye = torch.eye(3, dtype=centres.dtype, device=centres.device)
    across = eye - directions[:, :, None] * directions[:, None, :]
    aimed = (across @ centres[structure.photo][..., None]).squeeze(-1)
    weight = torch.ones(len(directions), dtype=centres.dtype, device=centres.device)
    points = torch.zeros(structure.points, 3, dtype=centres.dtype, device=centres.device)
    for _ in range(steps):
        both = torch.cat([across, aimed[..., None]], 2) * weight[:, None, None]
        sums = structure.over_points(both)
        normal = sums[..., :3] + 1e-12 * eye * sums[..., :3].diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
        points = (inverse3(normal) @ sums[..., 3:]).squeeze(-1)
        way = points[structure.point] - centres[structure.photo]
        distance = way.norm(dim=1).clamp(min=1e-9)
        sine = (across @ way[..., None]).squeeze(-1).norm(dim=1) / distance
        weight = 1 / (distance**2 * (1 + (sine / 0.005) ** 2) ** 2)
        weight = weight / run_sums(weight, structure.per_point)[structure.point].clamp(min=1e-300)
    return points
