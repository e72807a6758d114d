"""Held-out quality of finished Gaussians.
The scene is measured as it is exported: floaters gone, no colour correction in the headline figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from splat_worker.metrics import apply_colour, fit_colour, psnr_db, ssim
from splat_worker.scene import Gaussians, View
from splat_worker.train.context import Device, HeldOut
from splat_worker.train.render import render

_SSIM_MIN_PX = 11


def measure(
    gaussians: Gaussians, views: tuple[View, ...], device: Device
) -> tuple[HeldOut, dict[str, NDArray[np.uint8]]]:
    """Means over `views` (photos already at the size of measurement), and the pictures, 8 bits as a viewer has them."""
    plain, fitted, similar = [], [], []
    renders: dict[str, NDArray[np.uint8]] = {}
    for view in views:
        eight_bits = np.rint(render(gaussians, view.camera, device) * 255.0).astype(np.uint8)
        renders[view.name] = eight_bits
        picture, photo = eight_bits / 255.0, view.image / 255.0
        plain.append(psnr_db(picture, photo, view.mask))
        matched = apply_colour(fit_colour(picture, photo, view.mask), picture)
        fitted.append(psnr_db(matched, photo, view.mask))
        if min(photo.shape[:2]) >= _SSIM_MIN_PX:
            shown = picture if view.mask is None else np.where(view.mask[..., None], picture, photo)
            similar.append(ssim(shown, photo))
    largest = max(views, key=lambda view: view.image.shape[0] * view.image.shape[1])
    height, width = largest.image.shape[:2]
    figures = HeldOut(
        psnr_db=float(np.mean(plain)),
        ssim=float(np.mean(similar)) if similar else 0.0,
        psnr_fitted_db=float(np.mean(fitted)),
        names=tuple(view.name for view in views),
        width=width,
        height=height,
    )
    return figures, renders
