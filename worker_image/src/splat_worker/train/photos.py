"""Photos at the sizes a run needs: split into training and held-out, resized, prepared for the loss.
Never changes what the caller gave; keeps no more prepared photos than its memory allowance.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from PIL import Image

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.loss import Target, prepare_target

HELD_OUT_EVERY = 8
_BYTES_PER_VALUE = 4
_VALUES_PER_PIXEL = 10  # what a prepared photo holds on the CPU: picture 3, its blurs 6, mask 1
_ALLOWANCE_BYTES = 768 * 2**20


def split_views(posed: PosedPhotos) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """(training, held out): every 8th by name, from the first on; so there is at least one.

    Raises ValueError where nothing would be left to train on.
    """
    views = sorted(posed.views, key=lambda view: view.name)
    held_out = tuple(view for i, view in enumerate(views) if i % HELD_OUT_EVERY == 0)
    training = tuple(view for i, view in enumerate(views) if i % HELD_OUT_EVERY != 0)
    if not training:
        raise ValueError(f"training needs at least 2 posed photos, there are {len(views)}")
    return training, held_out


def resized(view: View, longest_px: int) -> View:
    """The view with its longer side at most `longest_px`, by averaging areas; never enlarged."""
    height, width = view.image.shape[:2]
    factor = min(1.0, longest_px / max(height, width))
    if factor == 1.0:
        return view
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = np.asarray(Image.fromarray(view.image).resize(size, Image.Resampling.BOX))
    mask = view.mask
    if mask is not None:
        mask = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)) > 250
    return replace(view, image=image, mask=mask, k=view.camera.scaled(*size).k)


class PhotoStore:
    """Prepared photos of one size, most recently used first, within the memory allowance."""

    def __init__(self, views: tuple[View, ...], longest_px: int, device: str) -> None:
        self.views = tuple(resized(view, longest_px) for view in views)
        self.device = device
        self._prepared: OrderedDict[int, Target] = OrderedDict()
        pixels = max(view.image.shape[0] * view.image.shape[1] for view in self.views)
        self._room = max(1, _ALLOWANCE_BYTES // (pixels * _VALUES_PER_PIXEL * _BYTES_PER_VALUE))

    def target(self, index: int) -> Target:
        """Photo `index`, ready for the loss."""
        if index in self._prepared:
            self._prepared.move_to_end(index)
            return self._prepared[index]
        view = self.views[index]
        target = prepare_target(view.image.astype(np.float32) / 255.0, view.mask, self.device)
        self._prepared[index] = target
        if len(self._prepared) > self._room:
            self._prepared.popitem(last=False)
        return target
