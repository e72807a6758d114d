"""Which Gaussians go and which are split in two: the rule that both ways of holding a scene follow.
Pure decisions on tensors; a trainer says what a split is worth and moves the rows.

The number grows along a fixed line to the cap, which also counts the initial Gaussians. Memory and time are known
before the start.
"""

from __future__ import annotations

import torch
from torch import Tensor

# A Gaussian of variance 1 along its axis becomes two of variance 0.36 at +-0.8: the same second moment.
CHILD_SIZE, CHILD_OFFSET = 0.6, 0.8
CHILD_WAIST = 0.9  # the other two axes
GROWTH_MAX = 0.5  # of the number at one edit


def keep_and_split(opacities: Tensor, worth: Tensor, *, target: int, opacity_min: float) -> tuple[Tensor, Tensor]:
    """Rows that stay, and which of those are split to reach `target` Gaussians in all.

    opacities: (N,) 0..1; worth: (N,), at most 0 where a split gains nothing. Drops what is fainter than `opacity_min`,
    but never everything. The second result indexes the first, the worthiest first.
    """
    keep = (opacities >= opacity_min).nonzero()[:, 0]
    if len(keep) == 0:
        keep = torch.arange(len(opacities), device=opacities.device)
    worth = worth[keep]
    room = min(max(0, target - len(keep)), int(GROWTH_MAX * len(keep)), int((worth > 0).sum()))
    return keep, torch.topk(worth, room).indices


def halves(log_scales: Tensor, quats: Tensor) -> tuple[Tensor, Tensor]:
    """How two children differ from their parent: offset of the means (M, 3), added and subtracted along the longest
    axis, and change of the log scales (M, 3). log_scales: (M, 3); quats: (M, 4)."""
    longest = log_scales.argmax(dim=1)
    reach = log_scales.gather(1, longest[:, None]).exp()
    shrink = torch.full_like(log_scales, CHILD_WAIST).scatter(1, longest[:, None], CHILD_SIZE).log()
    axis = axes_of(quats)[torch.arange(len(longest), device=longest.device), longest]
    return CHILD_OFFSET * reach * axis, shrink


def axes_of(quats: Tensor) -> Tensor:
    """(M, 3, 3) the axes of each Gaussian: row i is column i of the rotation of its quaternion (M, 4)."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    return torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], -1),
            torch.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], -1),
            torch.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        dim=1,
    )
