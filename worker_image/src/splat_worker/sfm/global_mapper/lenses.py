"""Focal lengths of photos whose tags give none, from the fundamental matrices of their pairs.
Pure.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.matches import Matches

FOCAL_MIN, FOCAL_MAX, FOCALS = 0.35, 4.0, 200
"""Of the longer side, and the number of focal lengths tried between."""
SOFT = 0.02
"""Difference of the two singular values, as a share of the larger, at which a pair counts half."""
PAIRS_MIN = 3


def found_lenses(found: Matches) -> tuple[Tensor, Tensor]:
    """The (G, 4) lenses with the focal lengths that fit best where no tag gives them, and (G,) bool which changed.

    An essential matrix has two equal singular values (Sturm, On Focal Length Calibration from Two Views, CVPR 2001).
    """
    lenses, changed = found.lenses.clone(), torch.zeros(len(found.lenses), dtype=torch.bool, device=found.lens.device)
    of_pair = found.lens[found.pairs]
    usable = (of_pair[:, 0] == of_pair[:, 1]) & (found.fundamental.abs().sum((1, 2)) > 0)
    for lens in range(len(lenses)):
        mine = usable & (of_pair[:, 0] == lens)
        if bool(found.tagged[lens]) or int(mine.sum()) < PAIRS_MIN:
            continue
        focals = found.sides_px[lens] * torch.logspace(
            torch.log10(torch.tensor(FOCAL_MIN)).item(), torch.log10(torch.tensor(FOCAL_MAX)).item(), FOCALS,
            dtype=torch.float64, device=lenses.device,
        )  # fmt: skip
        matrix = torch.zeros(FOCALS, 3, 3, dtype=torch.float64, device=lenses.device)
        matrix[:, 0, 0] = matrix[:, 1, 1] = focals
        matrix[:, :2, 2] = lenses[lens, 1:3]
        matrix[:, 2, 2] = 1
        essential = matrix.transpose(1, 2)[:, None] @ found.fundamental[mine] @ matrix[:, None]
        gap = singular_gap(essential)
        weight = found.counts[mine].to(torch.float64).sqrt()
        cost = (weight * gap**2 / (gap**2 + SOFT**2)).sum(1)
        lenses[lens, 0] = focals[int(cost.argmin())]
        changed[lens] = True
    return lenses, changed


def singular_gap(essential: Tensor) -> Tensor:
    """(...) difference of the two singular values of matrices (..., 3, 3) of rank 2, as a share of the larger."""
    square = essential @ essential.transpose(-1, -2)
    total = square.diagonal(dim1=-2, dim2=-1).sum(-1)
    product = ((total**2 - (square * square).sum((-1, -2))) / 2).clamp(min=0)
    root = (total**2 - 4 * product).clamp(min=0).sqrt()
    large, small = (total + root) / 2, ((total - root) / 2).clamp(min=0)
    return 1 - (small / large.clamp(min=1e-300)).sqrt()
