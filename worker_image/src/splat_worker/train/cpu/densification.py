"""Where more Gaussians are worth their place on the CPU: a number of Gaussians spent on error.
Collects what pictures leave behind, and edits the scene by the shared rule (core/densification.py).

A split is worth the image error that the Gaussian is responsible for: the sum over pixels of its blending weight times
the pixel's absolute error, averaged over the photos that saw it since the last edit.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.train.core.densification import halves, keep_and_split
from splat_worker.train.cpu.splats import Splats
from splat_worker.train.cpu.trace import Trace

_RADIUS_MIN_PX = 1.5  # a smaller Gaussian on the image cannot gain from a split


class Findings:
    """Sums over pictures since the last edit, by Gaussian: error, times seen, largest extent on the image."""

    def __init__(self, splats: Splats) -> None:
        self.score, self.seen, self.radius_px = (torch.zeros(len(splats)) for _ in range(3))

    def collect(self, trace: Trace) -> None:
        """Adds one rendering's findings."""
        assert trace.share is not None
        assert trace.radii_px is not None
        self.score += trace.share
        self.seen += trace.radii_px > 0
        self.radius_px = torch.maximum(self.radius_px, trace.radii_px)

    def worth(self) -> Tensor:
        """(N,) what a split gains."""
        score = self.score / self.seen.clamp(min=1.0)
        return torch.where(self.radius_px >= _RADIUS_MIN_PX, score, torch.zeros_like(score))


@torch.no_grad()
def edit(splats: Splats, findings: Findings, *, target: int, opacity_min: float) -> tuple[int, int]:
    """Removes what is transparent, splits what gains most. Returns (removed, added)."""
    before = len(splats)
    opacities = splats.values["logits"].sigmoid()
    keep, chosen = keep_and_split(opacities, findings.worth(), target=target, opacity_min=opacity_min)
    splats.take(keep)
    if len(chosen):
        split_along_axis(splats, chosen.sort().values)
    return before - len(keep), len(chosen)


@torch.no_grad()
def split_along_axis(splats: Splats, chosen: Tensor) -> None:
    """Replaces each chosen Gaussian by two along its longest axis; the second of each goes to the end.

    Both start without moments: those of their parent, which had a larger footprint, would keep them from moving.
    """
    v = splats.values
    offset, shrink = halves(v["log_scales"][chosen], v["quats"][chosen])
    added = {name: value[chosen].detach().clone() for name, value in v.items()}
    added["means"] += offset
    added["log_scales"] += shrink
    v["means"].data[chosen] -= offset
    v["log_scales"].data[chosen] += shrink
    for name in v:
        splats.first[name][chosen] = 0.0
        splats.second[name][chosen] = 0.0
    splats.append(added)
