"""Photos on the GPU as uint8: uploaded once, resized there.
A set that is too large for its share of the memory stays pinned on the host.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Float32, View
from splat_worker.train.core.photos import size_at
from splat_worker.train.cuda.engine import DeviceView
from splat_worker.train.cuda.layout import camera_struct

RESIDENT_BYTES_MAX = 6 << 30  # of photos on the GPU; the rest is fetched per step from pinned memory


def resize(rgb: Tensor, width: int, height: int) -> Tensor:
    """(H, W, 3) uint8 to (height, width, 3) uint8, each new pixel the mean of those it covers."""
    if (rgb.shape[1], rgb.shape[0]) == (width, height):
        return rgb
    planar = rgb.permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(planar, (height, width), mode="bilinear", antialias=True)
    return small[0].permute(1, 2, 0).add_(0.5).clamp_(0, 255).to(torch.uint8).contiguous()


class Photos:
    """The views of a run; `at(longest_px)` gives them at a size."""

    def __init__(self, views: tuple[View, ...], device: str, maps: Float32 | None = None) -> None:
        """maps: (V, 3, 4), each photo's exposure as a colour map, or None where they do not differ."""
        self.views, self.device = views, device
        self.maps = None if maps is None else torch.from_numpy(maps).to(device)
        self.resident = sum(v.image.nbytes for v in views) <= RESIDENT_BYTES_MAX
        self._full = [self._upload(v.image) for v in views]

    def at(self, longest_px: int) -> tuple[DeviceView, ...]:
        """All views, at most `longest_px` px on the longer side."""
        out = []
        for slot, (view, rgb) in enumerate(zip(self.views, self._full, strict=True)):
            width, height = size_at(view, longest_px)
            mask, cover = None, None
            if view.mask is not None:
                shares = self._plane(view.mask.astype(np.uint8) * 255, width, height)
                mask = (shares > 127).to(torch.uint8).contiguous()
            if view.cover is not None:
                cover = self._plane(view.cover, width, height)
            small = resize(rgb if self.resident else rgb.to(self.device), width, height)
            out.append(
                DeviceView(
                    camera=camera_struct(view.camera.scaled(width, height)),
                    rgb=small if self.resident or self.device == "cpu" else small.cpu().pin_memory(),
                    mask=mask,
                    slot=slot,
                    map=None if self.maps is None else self.maps[slot],
                    cover=cover,
                )
            )
        return tuple(out)

    def _plane(self, grey: np.ndarray, width: int, height: int) -> Tensor:
        """(H, W) uint8 to (height, width) uint8 on the device."""
        colours = torch.tensor(grey, device=self.device)[:, :, None].expand(-1, -1, 3).contiguous()
        return resize(colours, width, height)[:, :, 0].contiguous()

    def bytes_to_come(self, longest_px: int) -> int:
        """Of copies at `longest_px` px or less, on the GPU; one photo at a time where they stay on the host."""
        sizes = [width * height for width, height in (size_at(view, longest_px) for view in self.views)]
        return 4 * (sum(sizes) if self.resident else max(sizes))  # three colours and a mask

    def _upload(self, image: np.ndarray) -> Tensor:
        host = torch.from_numpy(np.array(image, order="C"))  # a copy: decoded photos may be read-only
        return host.to(self.device) if self.resident else host
