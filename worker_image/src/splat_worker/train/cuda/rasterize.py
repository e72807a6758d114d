"""The CUDA side of the seam: our kernels where they can be used, else gsplat's.
Imports either only when a picture is asked for.
"""

from __future__ import annotations

from torch import Tensor

from splat_worker.scene import Camera
from splat_worker.train.cuda.library import native_available
from splat_worker.train.trace import Trace


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
