"""Quality of a finished scene on held-out photos: pictures against photos.
Renders nothing; the headline figures have no colour correction but the
exposure in the photo's tags.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from splat_worker.limits import cpu_count
from splat_worker.metrics import apply_colour, fit_colour, psnr_db, ssim
from splat_worker.scene import UInt8, View
from splat_worker.train.core.context import Device, HeldOut
from splat_worker.train.core.exposure import as_taken

_SSIM_MIN_PX = 11
_AT_ONCE = 8  # photos compared in parallel: each takes about 150 bytes a pixel


def measure(pictures: Mapping[str, UInt8], views: tuple[View, ...], device: Device) -> HeldOut:
    """Means over `views`. pictures: (H, W, 3) by the view's name, 8 bits as viewers show them, of the photo's size."""
    # torch releases Python's lock; one photo fills a GPU.
    at_once = 1 if device is Device.CUDA else min(_AT_ONCE, cpu_count())
    with ThreadPoolExecutor(at_once) as pool:
        figures = list(pool.map(lambda view: _compared(pictures[view.name], view, device), views))
    taken, plain, fitted, flat = ([f[i] for f in figures] for i in range(4))
    similar = [f[4] for f in figures if f[4] is not None and not math.isnan(f[4])]
    largest = max(views, key=lambda view: view.image.shape[0] * view.image.shape[1])
    height, width = largest.image.shape[:2]
    return HeldOut(
        psnr_db=float(np.mean(taken)),
        ssim=float(np.mean(similar)) if similar else 0.0,
        psnr_plain_db=float(np.mean(plain)),
        psnr_fitted_db=float(np.mean(fitted)),
        psnr_flat_db=float(np.mean(flat)),
        names=tuple(view.name for view in views),
        width=width,
        height=height,
    )


def _compared(eight_bits: UInt8, view: View, device: Device) -> tuple[float, float, float, float, float | None]:
    """PSNR at the photo's exposure, without it, with the colours fitted, that of the photo's mean colour, and SSIM
    where the photo is large enough."""

    def put(array: NDArray[np.generic]) -> Tensor:
        return torch.tensor(array, device=str(device))  # a copy: photos may be read-only

    scene, photo = put(eight_bits).double() / 255.0, put(view.image).double() / 255.0
    picture = put(as_taken(eight_bits, view.gain_of_tags)).double() / 255.0
    mask = None if view.counts is None else put(view.counts)
    matched = apply_colour(fit_colour(scene, photo, mask), scene)
    similar = None
    if min(photo.shape[:2]) >= _SSIM_MIN_PX:
        similar = ssim(picture if mask is None else torch.where(mask[..., None], picture, photo), photo, mask)
    mean = (photo if mask is None else photo[mask]).reshape(-1, 3).mean(0)
    flat = psnr_db(mean.expand_as(photo), photo, mask)
    return psnr_db(picture, photo, mask), psnr_db(scene, photo, mask), psnr_db(matched, photo, mask), flat, similar
