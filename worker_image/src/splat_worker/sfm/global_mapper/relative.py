"""The relative pose of each pair of photos, from its matches and COLMAP's matrices.
Pure: all pairs at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.algebra import (
    angle_deg,
    det3,
    eigen3,
    inverse3,
    least_vector,
    rotation_of,
    sampson,
    skew,
    solved_small,
    svd3,
    unit,
)
from splat_worker.sfm.global_mapper.matches import Matches, rays_of

SAMPLES = 200
"""Matches of a pair that its pose is found from, evenly chosen."""
ERROR_MAX_PX = 4.0
"""Largest distance from an epipolar line (COLMAP's TwoViewGeometryOptions.ransac.max_error)."""
HYPOTHESES = 2
"""Poses kept of each pair: the matches of a plane fit two."""
SAME_DEG = 2.0
STEPS = 8
EIGHT_POINT_STEPS = 8


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Of E pairs, H poses each, the best first. turn: (E, H, 3, 3) second camera from first; shift: (E, H, 3) of length
    1; fit: (E, H) share, 0 to 1, of the matches that it explains, in front of both cameras."""

    turn: Tensor
    shift: Tensor
    fit: Tensor


@dataclass(frozen=True)
class _Samples:
    """Matches of E pairs. rays_1, rays_2: (E, S, 3), third coordinate 1; weight: (E, S), 0 where a pair has fewer;
    limit: (E, 1, 1) the largest epipolar error on the normalised image plane."""

    rays_1: Tensor
    rays_2: Tensor
    weight: Tensor
    limit: Tensor


def relative_poses(found: Matches, lenses: Tensor, *, retuned: Tensor) -> Relative:
    """lenses: (G, 4), with focal lengths as far as known; retuned: (G,) where they are not those of the database, so
    that its essential matrices are not right."""
    samples = _sampled(found, lenses)
    turn, shift = _candidates(found, lenses, retuned, samples)
    turn, shift = _best(turn, shift, _fit(turn, shift, samples))
    turn, shift = _refined(turn, shift, samples)
    fit = _fit(turn, shift, samples)
    order = fit.argsort(dim=1, descending=True, stable=True)
    return Relative(turn=_take(turn, order), shift=_take(shift, order), fit=fit.gather(1, order))


def epipolar_errors_px(found: Matches, lenses: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """(M,) distance of each match from the epipolar lines of its pair. turn: (E, 3, 3), shift: (E, 3)."""
    pair = found.pair_of_match
    focal = _focals(found, lenses)[pair]
    every = lenses[found.lens[found.photo_of_keypoint]]
    rays = rays_of(found.keypoints, every)
    essential = (skew(shift) @ turn)[pair]
    return sampson(rays[found.matches[:, 0]], rays[found.matches[:, 1]], essential).abs() * focal


def _focals(found: Matches, lenses: Tensor) -> Tensor:
    """(E,) geometric mean of both focal lengths."""
    return lenses[found.lens[found.pairs], 0].prod(1).sqrt()


def _sampled(found: Matches, lenses: Tensor) -> _Samples:
    count = found.counts[:, None]
    at = torch.arange(SAMPLES, device=count.device)[None]
    every = torch.clamp(count, max=SAMPLES)
    inside = at < every
    begin = found.counts.cumsum(0)[:, None] - count
    row = begin + torch.where(inside, at * count // every, torch.zeros_like(at))
    keypoints = found.matches[row]
    pixels = found.keypoints[keypoints]
    lens = lenses[found.lens[found.pairs]]
    rays = [
        rays_of(pixels[:, :, side].reshape(-1, 2), lens[:, side].repeat_interleave(SAMPLES, 0)).reshape(-1, SAMPLES, 3)
        for side in (0, 1)
    ]
    limit = (ERROR_MAX_PX / _focals(found, lenses))[:, None, None]
    return _Samples(rays[0], rays[1], inside.to(torch.float64), limit)


def _matrix(lenses: Tensor) -> Tensor:
    """(E, 3, 3) camera matrices."""
    matrix = torch.zeros(len(lenses), 3, 3, dtype=lenses.dtype, device=lenses.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = lenses[:, 0]
    matrix[:, :2, 2] = lenses[:, 1:3]
    matrix[:, 2, 2] = 1
    return matrix


def _candidates(found: Matches, lenses: Tensor, retuned: Tensor, samples: _Samples) -> tuple[Tensor, Tensor]:
    """(E, 12, 3, 3) and (E, 12, 3): four poses of the essential matrix, eight of the homography."""
    lens = found.lens[found.pairs]
    first, second = (_matrix(lenses[lens[:, side]]) for side in (0, 1))
    of_fundamental = second.transpose(1, 2) @ found.fundamental @ first
    known = found.essential.abs().sum((1, 2)) > 0
    essential = torch.where((known & ~retuned[lens].any(1))[:, None, None], found.essential, of_fundamental)
    lost = essential.abs().sum((1, 2)) == 0
    if bool(lost.any()):
        linear = eight_point(samples.rays_1, samples.rays_2, samples.weight)
        essential = torch.where(lost[:, None, None], linear, essential)
    plane = inverse3(second) @ found.homography @ first
    lost = plane.abs().sum((1, 2)) == 0
    eye = torch.eye(3, dtype=plane.dtype, device=plane.device)
    turns, shifts = of_essential(essential)
    turns_h, shifts_h = of_homography(torch.where(lost[:, None, None], eye, plane))
    return torch.cat([turns, turns_h], 1), torch.cat([shifts, shifts_h], 1)


def eight_point(rays_1: Tensor, rays_2: Tensor, weight: Tensor) -> Tensor:
    """(E, 3, 3) essential matrices of matched rays (E, S, 3) by normalised linear least squares, reweighted by their
    errors (Hartley, In Defense of the Eight-Point Algorithm, PAMI 1997)."""
    first, second = (_normalising(rays, weight) for rays in (rays_1, rays_2))
    one, other = rays_1 @ first.transpose(1, 2), rays_2 @ second.transpose(1, 2)
    design = (other[..., :, None] * one[..., None, :]).flatten(2)
    share = weight
    essential = torch.zeros_like(first)
    for _ in range(EIGHT_POINT_STEPS):
        normal = (design * share[..., None]).transpose(1, 2) @ design
        found = least_vector(normal).reshape(-1, 3, 3)
        essential = second.transpose(1, 2) @ found @ first
        error = sampson(rays_1, rays_2, essential[:, None]).abs()
        middle = torch.where(weight > 0, error, torch.nan).nanmedian(1, keepdim=True).values
        share = weight / (1 + (error / (3 * middle + 1e-9)) ** 2) ** 2
    return essential


def _normalising(rays: Tensor, weight: Tensor) -> Tensor:
    """(E, 3, 3) what moves the rays (E, S, 3) of each pair to the middle and scales them to 1."""
    total = weight.sum(1)[:, None].clamp(min=1)
    middle = (rays[..., :2] * weight[..., None]).sum(1) / total
    spread = (((rays[..., :2] - middle[:, None]) ** 2).sum(2) * weight).sum(1) / total[:, 0]
    scale = (2 / spread.clamp(min=1e-12)).sqrt()
    matrix = torch.zeros(len(rays), 3, 3, dtype=rays.dtype, device=rays.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale
    matrix[:, :2, 2] = -scale[:, None] * middle
    matrix[:, 2, 2] = 1
    return matrix


def of_essential(essential: Tensor) -> tuple[Tensor, Tensor]:
    """The (E, 4, 3, 3) turns and (E, 4, 3) shifts of essential matrices."""
    u, vt = svd3(essential)
    u, vt = u * det3(u)[:, None, None].sign(), vt * det3(vt)[:, None, None].sign()
    w = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]], dtype=u.dtype, device=u.device)
    one, other, shift = u @ w @ vt, u @ w.T @ vt, u[..., 2]
    return torch.stack([one, one, other, other], 1), torch.stack([shift, -shift, shift, -shift], 1)


def of_homography(plane: Tensor) -> tuple[Tensor, Tensor]:
    """The (E, 8, 3, 3) turns and (E, 8, 3) shifts of homographies between normalised image planes (Ma, Soatto, Kosecka
    and Sastry, An Invitation to 3-D Vision, 5.3.3), with both signs of each shift."""
    plane = plane * det3(plane)[:, None, None].sign()
    values, vectors = eigen3(plane.transpose(1, 2) @ plane)
    middle = values[:, 1].clamp(min=1e-300)
    plane = plane / middle.sqrt()[:, None, None]
    small, _, large = (values / middle[:, None]).unbind(1)
    small, large = small.clamp(max=1.0), large.clamp(min=1.0)
    v3, v2, v1 = vectors.unbind(2)
    across = (large - small).clamp(min=1e-12).sqrt()[:, None]
    turns, shifts = [], []
    for sign in (1.0, -1.0):
        u = ((1 - small).sqrt()[:, None] * v1 + sign * (large - 1).sqrt()[:, None] * v3) / across
        normal = torch.linalg.cross(v2, u)
        before = torch.stack([v2, u, normal], 2)
        one, other = (plane @ v[..., None] for v in (v2, u))
        one, other = one.squeeze(-1), other.squeeze(-1)
        turn = torch.stack([one, other, torch.linalg.cross(one, other)], 2) @ before.transpose(1, 2)
        shift = unit(((plane - turn) @ normal[..., None]).squeeze(-1))
        turns += [turn, turn]
        shifts += [shift, -shift]
    return torch.stack(turns, 1), torch.stack(shifts, 1)


def _fit(turn: Tensor, shift: Tensor, samples: _Samples) -> Tensor:
    """(E, H) share of the matches that lie in front of both cameras and near their epipolar lines."""
    rays_1, rays_2, weight = samples.rays_1, samples.rays_2, samples.weight
    shares = []
    for number in range(turn.shape[1]):
        one, t = turn[:, None, number], shift[:, None, number]
        p = (one @ rays_1[..., None]).squeeze(-1)
        cross = torch.linalg.cross(rays_2, p)
        ahead_1 = (cross * torch.linalg.cross(t.expand_as(p), rays_2)).sum(-1) > 0
        ahead_2 = (cross * torch.linalg.cross(t.expand_as(p), p)).sum(-1) > 0
        near = sampson(rays_1, rays_2, skew(t) @ one).abs() < samples.limit[..., 0]
        shares.append(((ahead_1 & ahead_2 & near) * weight).sum(1) / weight.sum(1))
    return torch.stack(shares, 1)


def _best(turn: Tensor, shift: Tensor, fit: Tensor) -> tuple[Tensor, Tensor]:
    """The HYPOTHESES poses that fit best and turn differently."""
    picked = []
    for _ in range(HYPOTHESES):
        best = fit.argmax(1)
        picked.append(best)
        chosen = turn[torch.arange(len(turn), device=turn.device), best]
        fit = torch.where(angle_deg(turn, chosen[:, None]) < SAME_DEG, fit - 10, fit)
    order = torch.stack(picked, 1)
    return _take(turn, order), _take(shift, order)


def _take(values: Tensor, order: Tensor) -> Tensor:
    return values[torch.arange(len(values), device=values.device)[:, None], order]


def _refined(turn: Tensor, shift: Tensor, samples: _Samples) -> tuple[Tensor, Tensor]:
    """Gauss-Newton on the Sampson distances, robust, of a turn (3) and a shift on the unit sphere (2)."""
    one, other, weight = samples.rays_1[:, None], samples.rays_2[:, None], samples.weight[:, None]
    for _ in range(STEPS):
        essential = (skew(shift) @ turn)[:, :, None]
        p = (turn[:, :, None] @ one[..., None]).squeeze(-1)
        q = other.expand_as(p)
        t = shift[:, :, None].expand_as(p)
        lines_2 = (essential @ one[..., None]).squeeze(-1)
        lines_1 = (essential.transpose(-1, -2) @ other[..., None]).squeeze(-1)
        steep = ((lines_1[..., :2] ** 2).sum(-1) + (lines_2[..., :2] ** 2).sum(-1)).clamp(min=1e-24).sqrt()
        cross = torch.linalg.cross(p, q)
        error = (t * cross).sum(-1) / steep
        tangent = _tangent(shift)
        by_turn = torch.linalg.cross(p, torch.linalg.cross(q, t))
        by_shift = (cross[..., None, :] @ tangent[:, :, None]).squeeze(-2)
        slope = torch.cat([by_turn, by_shift], -1) / steep[..., None]
        share = weight / (1 + (2 * error / samples.limit) ** 2) ** 2
        normal = (slope * share[..., None]).transpose(-1, -2) @ slope
        scale = normal.diagonal(dim1=-2, dim2=-1)
        normal = normal + torch.diag_embed(1e-6 * scale + 1e-12)
        right = (slope * (share * error)[..., None]).sum(-2)
        step = -solved_small(normal, right)
        step = step * (0.3 / step.norm(dim=-1, keepdim=True).clamp(min=0.3))
        turn = rotation_of(step[..., :3]) @ turn
        shift = unit(shift + (tangent @ step[..., 3:, None]).squeeze(-1))
    return turn, shift


def _tangent(v: Tensor) -> Tensor:
    """(..., 3, 2) two directions across v (..., 3)."""
    axis = torch.nn.functional.one_hot(v.abs().argmin(-1), 3).to(v.dtype)
    one = unit(torch.linalg.cross(v, axis))
    return torch.stack([one, torch.linalg.cross(v, one)], -1)
