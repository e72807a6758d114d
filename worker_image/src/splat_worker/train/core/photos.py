"""Photos split into training and held-out, and resized on the CPU.
Never changes what the caller gave.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from splat_worker.scene import PosedPhotos, View

HELD_OUT_EVERY = 8
# Photos of a set differ by about 2 dB, so that the mean of 24 is known to 0.4 dB. Each more is lost to training.
HELD_OUT_MAX = 24


def split_views(posed: PosedPhotos) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """(training, held out): every 8th by name, from the first on; so there is at least one. Of more than 192 photos
    every 9th or later, so that at most HELD_OUT_MAX are held out.

    Raises ValueError where nothing would be left to train on.
    """
    views = sorted(posed.views, key=lambda view: view.name)
    every = max(HELD_OUT_EVERY, -(-len(views) // HELD_OUT_MAX))
    held_out = tuple(view for i, view in enumerate(views) if i % every == 0)
    training = tuple(view for i, view in enumerate(views) if i % every != 0)
    if not training:
        raise ValueError(f"training needs at least 2 posed photos, there are {len(views)}")
    return training, held_out


def size_at(view: View, longest_px: int) -> tuple[int, int]:
    """Width and height of the view with its longer side at most `longest_px`."""
    height, width = view.image.shape[:2]
    factor = min(1.0, longest_px / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))


def resized(view: View, longest_px: int) -> View:
    """The view with its longer side at most `longest_px`, by averaging areas; never enlarged."""
    size = size_at(view, longest_px)
    if size == view.image.shape[1::-1]:
        return view
    image = np.asarray(Image.fromarray(view.image).resize(size, Image.Resampling.BOX))
    mask = view.mask
    if mask is not None:
        mask = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 250
    cover = view.cover
    if cover is not None:
        cover = np.asarray(Image.fromarray(cover).resize(size, Image.Resampling.BOX))
    return replace(view, image=image, mask=mask, cover=cover, k=view.camera.scaled(*size).k)
