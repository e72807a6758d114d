"""Training on gsplat's kernels: the trainer of cuda/ with another engine, so that both follow one schedule."""

from __future__ import annotations

from splat_worker.train.core.backend import Kind, Setup
from splat_worker.train.core.context import Device
from splat_worker.train.cuda.backend import CudaBackend
from splat_worker.train.gsplat.engine import GsplatEngine
from splat_worker.train.gsplat.rasterize import check, rasterize


def begin(setup: Setup) -> CudaBackend:
    """See core/backend.py Kind."""
    return CudaBackend(setup, lambda start, setup, _photos: GsplatEngine(start, setup.device, views=len(setup.views)))


KIND = Kind(name="gsplat", device=Device.CUDA, begin=begin, draw=rasterize, check=check)
