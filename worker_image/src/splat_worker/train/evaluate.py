"""Held-out quality of finished Gaussians.
The scene is measured as it is exported: floaters gone, no colour correction in the headline figures.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from splat_worker.limits import cpu_count
from splat_worker.metrics import apply_colour, fit_colour, psnr_db, ssim
from splat_worker.scene import Gaussians, View
from splat_worker.train.context import Device, HeldOut
from splat_worker.train.render import render

_SSIM_MIN_PX = 11
_AT_ONCE = 8  # photos compared side by side: each takes about 150 bytes a pixel


def measure(
    gaussians: Gaussians, views: tuple[View, ...], device: Device
) -> tuple[HeldOut, dict[str, NDArray[np.uint8]]]:
    """Means over `views` (photos already at the size of measurement), and the pictures, 8 bits as a viewer has them."""
    renders = {view.name: np.rint(render(gaussians, view.camera, device) * 255.0).astype(np.uint8) for view in views}
    # torch works outside Python's lock; a GPU is busy with one photo.
    at_once = 1 if device is Device.CUDA else min(_AT_ONCE, cpu_count())
    with ThreadPoolExecutor(at_once) as pool:
        figures = list(pool.map(lambda view: _compared(renders[view.name], view, device), views))
    plain, fitted = ([f[i] for f in figures] for i in range(2))
    similar = [f[2] for f in figures if f[2] is not None]
    largest = max(views, key=lambda view: view.image.shape[0] * view.image.shape[1])
    height, width = largest.image.shape[:2]
    held_out = HeldOut(
        psnr_db=float(np.mean(plain)),
        ssim=float(np.mean(similar)) if similar else 0.0,
        psnr_fitted_db=float(np.mean(fitted)),
        names=tuple(view.name for view in views),
        width=width,
        height=height,
    )
    return held_out, renders


def _compared(eight_bits: NDArray[np.uint8], view: View, device: Device) -> tuple[float, float, float | None]:
    """PSNR, PSNR with the colours fitted, and SSIM where the photo is large enough for it."""

    def put(array: NDArray[np.generic]) -> Tensor:
        return torch.tensor(array, device=str(device))  # a copy: photos may be read-only

    picture, photo = put(eight_bits).double() / 255.0, put(view.image).double() / 255.0
    mask = None if view.mask is None else put(view.mask)
    matched = apply_colour(fit_colour(picture, photo, mask), picture)
    similar = None
    if min(photo.shape[:2]) >= _SSIM_MIN_PX:
        similar = ssim(picture if mask is None else torch.where(mask[..., None], picture, photo), photo)
    return psnr_db(picture, photo, mask), psnr_db(matched, photo, mask), similar
