"""From a sparse model and clean photos to the posed pinhole photos that training starts from.
Removes lens distortion; never moves a camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray
from PIL import Image

from splat_worker.limits import cpu_count
from splat_worker.scene import PosedPhotos, UInt8, View
from splat_worker.sfm.sparse import SparseCamera, SparseModel

K1_NONE = 1e-6
"""Below this distortion no pixel of a 10,000 px photo moves by a tenth of a pixel; the photo is used unchanged."""


def posed_photos(model: SparseModel, files: Mapping[str, Path]) -> PosedPhotos:
    """files: clean photo by name, at the size that its camera was found with."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        views = tuple(pool.map(lambda camera: _view(camera, files[camera.name]), model.cameras))
    return PosedPhotos(views=views, points=model.points, point_colours=model.colours)


def _view(camera: SparseCamera, path: Path) -> View:
    with Image.open(path) as photo:  # pillow releases the GIL; pycolmap's reader does not
        pixels: UInt8 = np.array(photo.convert("RGB"))
    k = np.array([[camera.focal_px, 0, camera.cx], [0, camera.focal_px, camera.cy], [0, 0, 1]], dtype=np.float64)
    if abs(camera.k1) > K1_NONE:
        pixels, k = _undistort(pixels, camera)
    return View(
        name=camera.name,
        image=np.ascontiguousarray(pixels),
        world_to_camera=camera.world_to_camera,
        k=k,
        gain=camera.gain,
        gain_of_tags=camera.gain_of_tags,
    )


def _undistort(pixels: UInt8, camera: SparseCamera) -> tuple[UInt8, NDArray[np.float64]]:
    """The undistorted photo, cropped to valid pixels, and its (3, 3) pinhole camera.

    The size changes by whole pixels on each side. COLMAP alone would keep the optical axis centred: an odd change of
    size would shift the photo by half a pixel and average four pixels into each one (docs/decisions/0015).
    """
    options = pycolmap.UndistortCameraOptions()
    seen = pycolmap.undistort_camera(options, _padded_camera(camera, 0, 0))
    right, down = (seen.width - camera.width) // 2, (seen.height - camera.height) // 2
    more_right, more_down = max(right, 0), max(down, 0)
    wide = np.pad(pixels, ((more_down, more_down), (more_right, more_right), (0, 0)), mode="edge")
    options.min_scale = options.max_scale = 1.0
    image, straight = pycolmap.undistort_image(
        options, pycolmap.Bitmap.from_array(wide), _padded_camera(camera, more_right, more_down)
    )
    k, (left, top) = np.array(straight.calibration_matrix()), (more_right - right, more_down - down)
    k[:2, 2] -= left, top
    height, width = wide.shape[:2]
    return image.to_array()[top : height - top, left : width - left], k


def _padded_camera(camera: SparseCamera, right: int, down: int) -> pycolmap.Camera:
    """COLMAP's camera of the photo with this many more pixels on each side."""
    return pycolmap.Camera(
        model="SIMPLE_RADIAL",
        width=camera.width + 2 * right,
        height=camera.height + 2 * down,
        params=[camera.focal_px, camera.cx + right, camera.cy + down, camera.k1],
    )
