"""Where more Gaussians are worth their place, and which ones are not: a budget spent on error.
Decides and edits the model between steps; renders nothing, knows no schedule but its own window.

Score of a Gaussian: the image error that it is responsible for, i.e. the sum over pixels of its blending weight
times the pixel's absolute error, averaged over the photos that saw it since the last edit. The best-paid ones are split
in two along their longest axis. The number grows along a fixed line to the cap, which also counts the initial
Gaussians, so that memory and time are known beforehand.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.train.model import Splats
from splat_worker.train.presets import Preset
from splat_worker.train.trace import Trace

# a Gaussian of variance 1 along its axis becomes two of variance 0.36 at +-0.8: the same second moment
_CHILD_SIZE, _CHILD_OFFSET = 0.6, 0.8
_CHILD_WAIST = 0.9  # the other two axes
_GROWTH_MAX = 0.5  # of the number at one edit
_RADIUS_MIN_PX = 1.5  # smaller ones on the image cannot gain from a split


class Budget:
    """Collects scores from traces and edits the model on its schedule."""

    def __init__(self, preset: Preset, splats: Splats) -> None:
        self.preset = preset
        self.start = len(splats)
        self.score = torch.zeros(len(splats), device=splats.device)
        self.seen = torch.zeros(len(splats), device=splats.device)
        self.radius_px = torch.zeros(len(splats), device=splats.device)

    def collect(self, trace: Trace) -> None:
        """Adds one rendering's findings."""
        assert trace.share is not None
        assert trace.radii_px is not None
        self.score += trace.share
        self.seen += trace.radii_px > 0
        self.radius_px = torch.maximum(self.radius_px, trace.radii_px)

    def due(self, step: int, steps: int) -> bool:
        """Is an edit due after this step (counted from 1) of a run of `steps`?"""
        first, last = self.preset.densify_from * steps, self.preset.densify_until * steps
        return first <= step <= last and step % self.preset.densify_every == 0

    def target(self, step: int, steps: int) -> int:
        """How many Gaussians there should be after the edit at `step`: a line from the start to the cap."""
        first, last = self.preset.densify_from * steps, self.preset.densify_until * steps
        done = min(1.0, max(0.0, (step - first) / max(last - first - self.preset.densify_every, 1.0)))
        return min(self.preset.gaussians_max, round(self.start + (self.preset.gaussians_max - self.start) * done))

    @torch.no_grad()
    def edit(self, splats: Splats, step: int, steps: int) -> tuple[int, int]:
        """Removes what is transparent, splits what pays best. Returns (removed, added)."""
        opaque = splats.values["logits"].sigmoid() >= self.preset.opacity_prune
        if not bool(opaque.any()):
            opaque = torch.ones_like(opaque)
        rows = opaque.nonzero()[:, 0]
        removed = len(splats) - len(rows)
        splats.take(rows)
        score = (self.score / self.seen.clamp(min=1.0))[rows]
        score = torch.where(self.radius_px[rows] >= _RADIUS_MIN_PX, score, torch.zeros_like(score))
        room = max(0, self.target(step, steps) - len(splats))
        room = min(room, int(_GROWTH_MAX * len(splats)), int((score > 0).sum()))
        if room:
            split_along_axis(splats, torch.topk(score, room).indices.sort().values)
        self.restart(splats)
        return removed, room

    def restart(self, splats: Splats) -> None:
        """Forgets all findings."""
        self.score = torch.zeros(len(splats), device=splats.device)
        self.seen = torch.zeros(len(splats), device=splats.device)
        self.radius_px = torch.zeros(len(splats), device=splats.device)


@torch.no_grad()
def split_along_axis(splats: Splats, chosen: Tensor) -> None:
    """Replaces each chosen Gaussian by two along its longest axis; the second ones go to the end.

    Both start without moments: those of their parent, which had a larger footprint, would keep them from moving.
    """
    v = splats.values
    longest = v["log_scales"][chosen].argmax(dim=1)
    axis = _axis(v["quats"][chosen], longest)
    reach = v["log_scales"][chosen].gather(1, longest[:, None]).exp()
    offset = _CHILD_OFFSET * reach * axis
    shrink = torch.full_like(v["log_scales"][chosen], _CHILD_WAIST).scatter(1, longest[:, None], _CHILD_SIZE).log()
    added = {name: value[chosen].detach().clone() for name, value in v.items()}
    added["means"] += offset
    added["log_scales"] += shrink
    v["means"].data[chosen] -= offset
    v["log_scales"].data[chosen] += shrink
    for name in v:
        splats.first[name][chosen] = 0.0
        splats.second[name][chosen] = 0.0
    splats.append(added)


def _axis(quats: Tensor, which: Tensor) -> Tensor:
    """Column `which` (M,) of the rotation of each quaternion: (M, 3)."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    columns = torch.stack(
        [
            torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], -1),
            torch.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], -1),
            torch.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        dim=1,
    )
    return columns[torch.arange(len(which), device=which.device), which]
