"""What one rendering on the CPU leaves for densification.
Holds tensors and no rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(kw_only=True)
class Trace:
    """What densification reads of one rendering; filled by `rasterize` and by its backward pass.

    radii_px: (N,) half extent on the image, 0 where not drawn.
    errors: (H, W) set by the caller before backward, or None.
    grad_px: (N, 2) dLoss/d(projected mean), px, after backward.
    share: (N,) sum over pixels of a Gaussian's weight times `errors`, after backward.
    """

    radii_px: Tensor | None = None
    errors: Tensor | None = None
    grad_px: Tensor | None = None
    share: Tensor | None = None
