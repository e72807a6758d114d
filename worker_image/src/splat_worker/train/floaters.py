"""The rule by which stray Gaussians are removed from a finished scene.
One pure decision; the trainer applies it before anything is measured.

A Gaussian is a floater if its mean distance to its 8 nearest neighbours is more than 8 times the median of the
scene's, or if it is as good as invisible (opacity under 2/255). At most 2 % of the visible ones go by the first
rule, the loneliest first: a scene of thin, far things must not be eaten.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Bool, Gaussians
from splat_worker.train.cpu.neighbours import nearest_distances

NEIGHBOURS = 8
LONELY_FACTOR = 8.0
LONELY_MAX_SHARE = 0.02
OPACITY_MIN = 2.0 / 255.0


def keep_mask(gaussians: Gaussians) -> Bool:
    """(N,) true for what stays."""
    opacity = 1.0 / (1.0 + np.exp(-gaussians.opacity_logits.astype(np.float64)))
    keep = opacity >= OPACITY_MIN
    visible = np.flatnonzero(keep)
    if len(visible) <= NEIGHBOURS:
        return np.ones(len(gaussians), bool)
    lonely = nearest_distances(gaussians.means[visible].astype(np.float64), NEIGHBOURS).mean(axis=1)
    limit = max(LONELY_FACTOR * float(np.median(lonely)), float(np.quantile(lonely, 1.0 - LONELY_MAX_SHARE)))
    keep[visible[lonely > limit]] = False
    return keep
