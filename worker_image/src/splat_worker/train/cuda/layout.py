"""Mirrors of the structs in kernels/types.cuh, and the order of a Gaussian's rows.
No logic: `library.load` rejects a kernel library with other sizes.
"""

from __future__ import annotations

import ctypes
from typing import Final

import numpy as np

from splat_worker.scene import Camera

MEAN: Final = slice(0, 3)
SCALE: Final = slice(3, 6)
QUAT: Final = slice(6, 10)
OPACITY: Final = 10
SH: Final = slice(11, 59)
ROWS: Final = 59
TILE_PX: Final = 8
BUCKET: Final = 32
STATS: Final = 4

_f, _i, _p = ctypes.c_float, ctypes.c_int32, ctypes.c_void_p


class CCamera(ctypes.Structure):
    """kernels/types.cuh Camera."""

    _fields_ = (
        ("r", _f * 9),
        ("t", _f * 3),
        ("position", _f * 3),
        *((name, _f) for name in ("fx", "fy", "cx", "cy")),
        ("width", _i),
        ("height", _i),
    )

    @property
    def tiles(self) -> int:
        return tiles_of(self.width, self.height)


def tiles_of(width: int, height: int) -> int:
    return -(-width // TILE_PX) * -(-height // TILE_PX)


def camera_struct(camera: Camera) -> CCamera:
    """The camera as kernels read it; scene.Camera in float64, this in float32."""
    pose, k = camera.world_to_camera, camera.k
    return CCamera(
        (_f * 9)(*np.asarray(pose[:3, :3], np.float32).ravel().tolist()),
        (_f * 3)(*pose[:3, 3].tolist()),
        (_f * 3)(*camera.centre.tolist()),
        float(k[0, 0]),
        float(k[1, 1]),
        float(k[0, 2]),
        float(k[1, 2]),
        camera.width,
        camera.height,
    )


POINTERS: Final = (
    "params", "first_moment", "second_moment", "grads", "stats", "splats", "moments", "depth_key", "depth_sorted",
    "identity", "order", "tiles_hit", "hits_sorted", "offsets", "tile_key", "tile_sorted", "instance_in", "instance",
    "many", "tile_span", "tile_buckets", "bucket_end", "tile_last", "bucket_tile", "checkpoints", "pixel_last",
    "image", "image_grad", "ssim_maps", "errors", "loss_sums", "temporary",
)  # fmt: skip


class CBuffers(ctypes.Structure):
    """kernels/types.cuh Buffers: addresses, null where a call does not need one."""

    _fields_ = (
        *((name, _p) for name in POINTERS),
        ("temporary_bytes", ctypes.c_uint64),
        ("instances_seen", _p),
        ("stride", ctypes.c_int64),
    )


UPDATE: Final = (
    "rate_mean", "rate_scale", "rate_quat", "rate_opacity", "rate_sh0", "rate_sh", "epsilon", "decay_first",
    "decay_second", "opacity_weight", "scale_weight", "noise",
)  # fmt: skip


class CUpdate(ctypes.Structure):
    """kernels/types.cuh Update."""

    _fields_ = (*((name, _f) for name in UPDATE), ("seed", ctypes.c_uint32))


class CPhoto(ctypes.Structure):
    """kernels/types.cuh Photo."""

    _fields_ = (("rgb", _p), ("mask", _p), ("map", _p))
