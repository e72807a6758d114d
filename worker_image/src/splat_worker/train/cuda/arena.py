"""Device memory of the kernels: every array of kernels/types.cuh Buffers, allocated once and grown where needed.
Knows no training. Only the instance arrays ever move.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from splat_worker.train.cuda import layout
from splat_worker.train.cuda.library import Kernels
from splat_worker.train.cuda.memory import INSTANCES_LIMIT

GRAD_ROWS = layout.ROWS + 3


class Arena:
    """Arrays for up to `capacity` Gaussians, pictures of up to `pixels` pixels in up to `tiles` tiles.

    training: with Adam moments and densification statistics; gradients: with a (62, capacity) gradient array;
    instances_max: the most that `render` makes room for.
    """

    def __init__(
        self,
        *,
        kernels: Kernels,
        device: str,
        capacity: int,
        pixels: int,
        tiles: int,
        instances: int,
        training: bool,
        gradients: bool = False,
        instances_max: int = INSTANCES_LIMIT,
    ) -> None:
        self.kernels, self.device = kernels, device
        self.capacity, self.pixels, self.tiles = capacity, pixels, tiles
        self._arrays: dict[str, Tensor] = {}
        self.struct = layout.CBuffers(stride=capacity)
        rows = layout.ROWS
        self._add("params", (rows, capacity), torch.float32)
        if training:
            self._add("first_moment", (rows, capacity), torch.float32)
            self._add("second_moment", (rows, capacity), torch.float32)
            self._add("stats", (layout.STATS, capacity), torch.float32)
        if gradients:
            self._add("grads", (GRAD_ROWS, capacity), torch.float32)
        self._add("splats", (capacity, 12), torch.float32)
        self._add("moments", (capacity, 12), torch.float32)
        for name in ("depth_key", "depth_sorted", "identity", "order", "tiles_hit", "hits_sorted", "offsets"):
            self._add(name, (capacity,), torch.int32)
        self._add("many", (capacity + 1,), torch.int32)
        self._add("tile_span", (2 * tiles,), torch.int32)
        for name in ("tile_buckets", "bucket_end", "tile_last"):
            self._add(name, (tiles,), torch.int32)
        self._add("pixel_last", (tiles * layout.TILE_PX**2,), torch.int32)
        for name, planes in (("image", 3), ("image_grad", 3), ("ssim_maps", 9), ("errors", 1)):
            self._add(name, (planes * pixels,), torch.float32)
        self._add("loss_sums", (2,), torch.float32)
        self.instances, self._instances_max = 0, instances_max
        self.make_room(min(instances, instances_max))

    def make_room(self, instances: int) -> None:
        """Grows the per-instance arrays to hold at least `instances`."""
        if instances <= self.instances:
            return
        self.instances = instances
        for name in ("tile_key", "tile_sorted", "instance_in", "instance"):
            self._add(name, (instances,), torch.int32)
        buckets = instances // layout.BUCKET + self.tiles
        self._add("bucket_tile", (buckets,), torch.int32)
        self._add("checkpoints", (buckets * layout.TILE_PX**2, 4), torch.float32)
        temporary = self.kernels.temporary_bytes(self.capacity, instances, self.tiles)
        self._add("temporary", (max(temporary, 1),), torch.uint8)
        self.struct.temporary_bytes = self["temporary"].numel()

    def __getitem__(self, name: str) -> Tensor:
        return self._arrays[name]

    def render(
        self, camera: layout.CCamera, count: int, *, degree: int, background: Sequence[float], train: bool
    ) -> int:
        """Draws `count` Gaussians into `image`, again with more room if the instances did not fit. Waits for the GPU.

        Returns the room that was used: enough, or the most there may be. train: also what gradients need.
        """
        self.struct.instances_seen = None
        colour, stream = (ctypes.c_float * 3)(*background), stream_of(self.device)
        while True:
            room = self.instances
            self.kernels.render(
                ctypes.byref(self.struct), ctypes.byref(camera), count, room, degree, colour, int(train), stream
            )
            wanted = int(self["offsets"][count - 1]) & 0xFFFFFFFF  # the kernels count without a sign
            if wanted <= room or room == self._instances_max:
                return room
            self.make_room(min(wanted + wanted // 4, self._instances_max))

    def picture(self, name: str, width: int, height: int) -> Tensor:
        """A view of `image`, `image_grad`, `ssim_maps` or `errors` as (planes, height, width)."""
        array = self._arrays[name]
        planes = array.numel() // self.pixels
        return array[: planes * width * height].view(planes, height, width)

    def _add(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        # Only sums and flags must start at zero. The rest is zeroed too: a kernel that reads what nobody wrote
        # then fails the same way every time.
        self._arrays.pop(name, None)
        array = torch.zeros(shape, dtype=dtype, device=self.device)
        self._arrays[name] = array
        setattr(self.struct, name, array.data_ptr())


def free_bytes(device: str) -> int | None:
    """On the GPU, what torch holds and does not use included; None on a CPU, whose emulated runs are small."""
    if device == "cpu":
        return None
    return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def stream_of(device: str) -> int:
    return torch.cuda.current_stream().cuda_stream if device != "cpu" else 0
