"""Training on an NVIDIA GPU: our own kernels (kernels/), their Python side, and the fallback to gsplat's.
Loaded only where a CUDA device is used; imports nothing heavy by itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from splat_worker.train.cuda.library import KernelsMissing, load

if TYPE_CHECKING:
    from torch import Tensor

    from splat_worker.scene import Camera
    from splat_worker.train.rasterize import Trace

log = logging.getLogger(__name__)


def native_available() -> bool:
    """Whether our kernels can be used; where not, says once in the log why."""
    try:
        load()
    except KernelsMissing as missing:
        log.warning("gsplat's kernels are used instead of ours: %s", missing)
        return False
    return True


def rasterize_cuda(  # noqa: PLR0917  (the seam both devices agreed on)
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    sh: Tensor,
    camera: Camera,
    background: Tensor,
    trace: Trace,
) -> Tensor:
    """As splat_worker.train.rasterize.rasterize, on CUDA tensors."""
    if native_available():
        from splat_worker.train.cuda.autograd import rasterize_native

        return rasterize_native(means, quats, scales, opacities, sh, camera, background, trace)
    from splat_worker.train.cuda.fallback import rasterize_gsplat

    return rasterize_gsplat(means, quats, scales, opacities, sh, camera, background, trace)
