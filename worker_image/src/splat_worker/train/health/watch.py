"""Whether a run in progress is going to a scene: what a trainer found is compared with what a run must reach.
Pure. loop.py looks every LOOK_EVERY steps, trainer.py acts on a collapse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float64, View
from splat_worker.train.core.backend import Look

LOOK_EVERY = 100  # steps: a look waits for the GPU, and edits wait as often
ERROR_FROM = 0.5  # part of the run from which pictures must be better than the mean colour of their photos
STEPS_MIN = 200  # shorter runs are judged by their result alone
VISIBLE_SHARE_MIN = 0.1  # of the most that the run had; a run that goes well replaces what fades
BROKEN_SHARE_MAX = 0.01  # of all Gaussians; fewer are removed and training goes on
FAULT_SHARE_MAX = 0.25  # of the photos; where more are wrong, the run is at fault and not they
NAMED_MAX = 3
_STRIDE = 8  # pixels in both directions between those that the mean error is taken of


@dataclass(frozen=True, kw_only=True)
class Collapse:
    """Why a run cannot become a scene. photos: names of those at fault, the worst first; empty where it is none."""

    reason: str
    photos: tuple[str, ...] = ()


class Collapsed(Exception):
    """Training cannot go on from here."""

    def __init__(self, collapse: Collapse) -> None:
        super().__init__(collapse.reason)
        self.collapse = collapse


class Watch:
    """Judges the looks of one run at `views`."""

    def __init__(self, views: tuple[View, ...]) -> None:
        self._names = tuple(view.name for view in views)
        self._flat = np.array([flat_error(view) for view in views])
        self._most_visible = 0

    def judge(self, look: Look, *, step: int, steps: int) -> Collapse | None:
        """After `step` of `steps`. The errors are those since the look before."""
        if look.broken > BROKEN_SHARE_MAX * look.count:
            reason = f"{look.broken} of {look.count} Gaussians have values that are not finite after {step} steps"
            return Collapse(reason=reason, photos=self._at_fault(look.errors))
        self._most_visible = max(self._most_visible, look.visible)
        if look.visible < VISIBLE_SHARE_MIN * self._most_visible:
            reason = f"the number of visible Gaussians fell from {self._most_visible} to {look.visible}"
            return Collapse(reason=reason, photos=self._at_fault(look.errors))
        return self._judge_errors(look.errors, step=step, steps=steps)

    def _judge_errors(self, errors: Float64, *, step: int, steps: int) -> Collapse | None:
        if len(broken := np.flatnonzero(np.isinf(errors))):
            names = tuple(self._names[i] for i in broken)
            return Collapse(
                reason=f"the pictures of {named(names)} had values that are not finite", photos=self._at_fault(errors)
            )
        shown = ~np.isnan(errors)
        if steps < STEPS_MIN or step < ERROR_FROM * steps or not shown.any():
            return None
        mean, flat = float(errors[shown].mean()), float(self._flat[shown].mean())
        if mean < flat:
            return None
        reason = (
            f"after {step} of {steps} steps the pictures are {100 * mean:.1f} % off their photos, and each photo's"
            f" mean colour is {100 * flat:.1f} % off"
        )
        return Collapse(reason=reason, photos=self._at_fault(errors))

    def _at_fault(self, errors: Float64) -> tuple[str, ...]:
        """The few photos with pictures that are not finite, for what they spoil makes the others worse too; or else
        the few that are worse than their mean colour. errors: (V,) NaN where not shown."""
        shown = ~np.isnan(errors)
        ratio = np.where(shown, errors, 0.0) / np.maximum(self._flat, 1e-6)
        for wrong in (np.flatnonzero(np.isinf(ratio)), np.flatnonzero(ratio >= 1.0)):
            if 0 < len(wrong) <= FAULT_SHARE_MAX * shown.sum():
                return tuple(self._names[i] for i in wrong[np.argsort(-ratio[wrong], kind="stable")])
        return ()


def flat_error(view: View) -> float:
    """Mean absolute error, 0..1, of a picture in the photo's mean colour; masked pixels count as right, as in the
    loss."""
    pixels = view.image[::_STRIDE, ::_STRIDE].reshape(-1, 3) / 255.0
    counts = view.counts
    if counts is None:
        return float(np.abs(pixels - pixels.mean(0)).mean())
    valid = counts[::_STRIDE, ::_STRIDE].reshape(-1)
    inside = pixels[valid]
    return float(np.abs(inside - inside.mean(0)).mean() * valid.mean()) if len(inside) else 0.0


def named(photos: tuple[str, ...]) -> str:
    """`a.jpg, b.jpg, c.jpg and 4 more`."""
    listed, more = ", ".join(photos[:NAMED_MAX]), len(photos) - NAMED_MAX
    return f"{listed} and {more} more" if more > 0 else listed
