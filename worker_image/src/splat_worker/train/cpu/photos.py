"""Training photos at one size, prepared for the CPU's loss.
Keeps no more of them than its memory allowance.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from splat_worker.scene import View
from splat_worker.train.core.photos import resized
from splat_worker.train.cpu.kernels.photometric import Target
from splat_worker.train.cpu.loss import prepare_target

_BYTES_PER_VALUE = 4
_VALUES_PER_PIXEL = 10  # of a prepared photo: picture 3, its blurs 6, mask 1
_ALLOWANCE_BYTES = 768 * 2**20


class PhotoStore:
    """Prepared photos of one size; the least recently used one goes first."""

    def __init__(self, views: tuple[View, ...], longest_px: int) -> None:
        self.views = tuple(resized(view, longest_px) for view in views)
        self._prepared: OrderedDict[int, Target] = OrderedDict()
        pixels = max(view.image.shape[0] * view.image.shape[1] for view in self.views)
        self._room = max(1, _ALLOWANCE_BYTES // (pixels * _VALUES_PER_PIXEL * _BYTES_PER_VALUE))

    def target(self, index: int, behind: np.ndarray) -> Target:
        """Photo `index`, ready for the loss. behind: (3,) the colour, 0..1, behind a subject in front of nothing."""
        view = self.views[index]
        if view.cover is not None:  # a new picture in every step
            open_share = 1.0 - view.cover[..., None].astype(np.float32) / 255.0
            return prepare_target(view.image.astype(np.float32) / 255.0 + open_share * behind, view.mask)
        if index in self._prepared:
            self._prepared.move_to_end(index)
            return self._prepared[index]
        target = prepare_target(view.image.astype(np.float32) / 255.0, view.mask)
        self._prepared[index] = target
        if len(self._prepared) > self._room:
            self._prepared.popitem(last=False)
        return target
