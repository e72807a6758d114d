"""Sparse model and clean photos to the posed, pinhole photos that training starts from.
Reads pictures and straightens their lens; never moves a camera.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from splat_worker.limits import cpu_count
from splat_worker.scene import PosedPhotos, UInt8, View
from splat_worker.sfm.sparse import SparseCamera, SparseModel

K1_NONE = 1e-6
"""Below this distortion no pixel of a 10,000 px photo moves by a tenth; the picture is used as it is."""


def posed_photos(model: SparseModel, files: Mapping[str, Path]) -> PosedPhotos:
    """files: clean photo by name, at the size the camera was found with."""
    with ThreadPoolExecutor(cpu_count()) as pool:
        views = tuple(pool.map(lambda camera: _view(camera, files[camera.name]), model.cameras))
    return PosedPhotos(views=views, points=model.points, point_colours=model.colours)


def _view(camera: SparseCamera, path: Path) -> View:
    with Image.open(path) as photo:  # pillow reads in several threads; pycolmap's own reader holds Python's lock
        pixels: UInt8 = np.array(photo.convert("RGB"))
    k = np.array([[camera.focal_px, 0, camera.cx], [0, camera.focal_px, camera.cy], [0, 0, 1]], dtype=np.float64)
    if abs(camera.k1) > K1_NONE:
        bent = pycolmap.Camera(
            model="SIMPLE_RADIAL",
            width=camera.width,
            height=camera.height,
            params=[camera.focal_px, camera.cx, camera.cy, camera.k1],
        )
        straight_image, straight = pycolmap.undistort_image(
            pycolmap.UndistortCameraOptions(), pycolmap.Bitmap.from_array(pixels), bent
        )
        pixels, k = straight_image.to_array(), np.asarray(straight.calibration_matrix())
    return View(name=camera.name, image=np.ascontiguousarray(pixels), world_to_camera=camera.world_to_camera, k=k)
