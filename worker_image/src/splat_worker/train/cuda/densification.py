"""Densification on the GPU: the new columns after Gaussians are removed, and split or copied.
Splits follow the shared rule (core/densification.py), where the screen gradient is largest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.train.core.densification import halves, keep_and_split
from splat_worker.train.cuda import layout

COPIES_MAX = 51  # of one Gaussian at one edit, itself included


def scores(stats: Tensor, *, extent_min: float) -> Tensor:
    """(N,) what a split of each Gaussian gains: the mean length of its screen gradient over the views that saw it.

    stats: (4, N) of engine.Engine.stats; zero where its extent, as a share of the picture, was below `extent_min`.
    Against the share of the pictures' errors: +0.1 to +0.5 dB held out after 3000 steps (bench/gpu/README.md).
    """
    worth = stats[0] / stats[1].clamp(min=1.0)
    return torch.where(stats[3] >= extent_min, worth, torch.zeros_like(worth))


def smallest(stats: Tensor, *, share: float) -> Tensor:
    """Indices of the Gaussians that stay where pictures are too full: without those that covered most of a picture.

    So many stay that they cover at most `share` of what all cover together, but half of them in any case.
    stats: (4, N) of engine.Engine.stats.
    """
    extent, order = stats[3].sort()
    area = extent.clamp(max=1.0).square()  # nobody covers more than the picture
    fitting = int((area.cumsum(0) <= share * area.sum()).sum())
    return order[: max(fitting, len(order) // 2)].sort().values


def edited(
    columns: Tensor,
    moments: tuple[Tensor, Tensor],
    worth: Tensor,
    *,
    target: int,
    opacity_min: float,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Drops what is more transparent than `opacity_min`, splits what gains most up to `target` Gaussians in all.

    columns and moments: (59, N); worth: (N,). Returns the new columns and moments; waits for the GPU.
    """
    opacities = torch.sigmoid(columns[layout.OPACITY])
    keep, chosen = keep_and_split(opacities, worth, target=target, opacity_min=opacity_min)
    columns = columns[:, keep]
    first, second = (m[:, keep] for m in moments)
    if len(chosen) == 0:
        return columns, (first, second)
    near, far = split(columns[:, chosen])
    columns[:, chosen] = near
    # Both children start without moments. A parent's second moment is that of a larger footprint; after some
    # generations of splits it is far too large, and the children hardly move (bench/gpu/README.md).
    for moment in (first, second):
        moment[:, chosen] = 0.0
    nothing = torch.zeros_like(far)
    return torch.cat([columns, far], 1), (torch.cat([first, nothing], 1), torch.cat([second, nothing], 1))


def resampled(
    columns: Tensor, moments: tuple[Tensor, Tensor], *, target: int, opacity_min: float, chance: torch.Generator
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The edit of Kheradmand et al. 2024 (3DGS-MCMC): Gaussians drawn by opacity share their place with copies.

    Copies first take the columns of Gaussians more transparent than `opacity_min`, then new columns up to `target`.
    columns and moments: (59, N). Returns the new columns and moments; waits for the GPU.
    """
    opacity = torch.sigmoid(columns[layout.OPACITY])
    faint = opacity < opacity_min
    alive, dead = (~faint).nonzero()[:, 0], faint.nonzero()[:, 0]
    count = columns.shape[1]
    added = max(0, target - count)
    if len(alive) == 0 or len(dead) + added == 0:
        return columns, moments
    draws = alive[torch.multinomial(opacity[alive], len(dead) + added, replacement=True, generator=chance)]
    number = (torch.bincount(draws, minlength=count) + 1).clamp(max=COPIES_MAX)
    sources = (number > 1).nonzero()[:, 0]
    new = columns.clone()
    new[:, sources] = shared_among(columns[:, sources], number[sources])
    copies = new[:, draws]
    new[:, dead] = copies[:, : len(dead)]
    kept = [m.clone() for m in moments]
    for moment in kept:
        moment[:, sources] = 0.0
        moment[:, dead] = 0.0
    nothing = torch.zeros_like(copies[:, len(dead) :])
    first, second = (torch.cat([m, nothing], 1) for m in kept)
    return torch.cat([new, copies[:, len(dead) :]], 1), (first, second)


def shared_among(columns: Tensor, number: Tensor) -> Tensor:
    """Each column, changed so that `number` (M,) copies of it in one place look like the one before: (59, M).

    Opacity o becomes o' = 1 - (1 - o)^(1/n). Sizes shrink so that the integral of opacity along a line across the
    middle stays (equation 9 of the paper): by o / sum over k < n of binomial(n, k+1) (-1)^k o'^(k+1) / sqrt(k+1).
    """
    old = torch.sigmoid(columns[layout.OPACITY].double()).clamp(max=1 - 1e-6)
    new = -torch.expm1(torch.log1p(-old) / number)
    number = number.double()
    most = int(number.max())
    k = torch.arange(most, device=columns.device, dtype=torch.float64)
    log_binomial = torch.lgamma(number[:, None] + 1.0) - torch.lgamma(k + 2) - torch.lgamma(number[:, None] - k)
    terms = torch.exp(log_binomial + (k + 1) * torch.log(new)[:, None]) * (-1.0) ** k / torch.sqrt(k + 1)
    total = torch.where(k < number[:, None], terms, torch.zeros_like(terms)).sum(1)
    out = columns.clone()
    out[layout.OPACITY] = torch.logit(new.clamp(min=1e-6, max=1 - 1e-6)).float()
    out[layout.SCALE] += torch.log(old / total).float()
    return out


def split(columns: Tensor) -> tuple[Tensor, Tensor]:
    """Two children per Gaussian, displaced along its longest axis: (59, M) each."""
    offset, shrink = halves(columns[layout.SCALE].T, columns[layout.QUAT].T)
    near, far = columns.clone(), columns.clone()
    for child, sign in ((near, -1.0), (far, 1.0)):
        child[layout.MEAN] += sign * offset.T
        child[layout.SCALE] += shrink.T
    return near, far
