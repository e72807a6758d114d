"""From a sparse model and clean photos to the posed pinhole photos that training starts from.
Removes lens distortion, from masks alike; never moves a camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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

MASKED_BELOW = 128
OPEN_BORDER_MIN = 0.5
"""Share of a photo's border that a mask leaves out where a subject is cut out of it."""
KEPT_MIN = 250
"""Of 255: a pixel that a mask hides even a little is not trained on."""


def posed_photos(model: SparseModel, files: Mapping[str, Path], masks: Mapping[str, Path] | None = None) -> PosedPhotos:
    """files: clean photo by name, at the size that its camera was found with. masks: what is kept of a photo, by name,
    of that size.

    Where masks cut a subject out of all photos, nothing is around it, and the views have a `cover`. Other masks hide
    what is not wanted, such as people who pass by: the views have a `mask`.
    """
    masks = masks or {}
    with ThreadPoolExecutor(cpu_count()) as pool:
        views = tuple(pool.map(lambda c: _view(c, files[c.name], masks.get(c.name)), model.cameras))
    if not _cut_out(views):
        views = tuple(_hidden(view) for view in views)
    return PosedPhotos(views=views, points=model.points, point_colours=model.colours)


def _cut_out(views: Sequence[View]) -> bool:
    """Whether masks leave out most of the border of most photos, and every photo has one."""
    open_borders = []
    for view in views:
        if view.cover is None:
            return False
        border = np.concatenate([view.cover[0], view.cover[-1], view.cover[:, 0], view.cover[:, -1]])
        open_borders.append(float((border < MASKED_BELOW).mean()))
    return bool(open_borders) and float(np.median(open_borders)) >= OPEN_BORDER_MIN


def _hidden(view: View) -> View:
    """The view with its cover as a mask."""
    return view if view.cover is None else replace(view, cover=None, mask=view.cover >= KEPT_MIN)


def _view(camera: SparseCamera, path: Path, mask: Path | None) -> View:
    with Image.open(path) as photo:  # pillow releases the GIL; pycolmap's reader does not
        pixels: UInt8 = np.array(photo.convert("RGB"))
    cover: UInt8 | None = None
    if mask is not None:
        with Image.open(mask) as opened:
            cover = np.array(opened.convert("L"))
    k = np.array([[camera.focal_px, 0, camera.cx], [0, camera.focal_px, camera.cy], [0, 0, 1]], dtype=np.float64)
    if abs(camera.k1) > K1_NONE:
        if cover is not None:
            cover = _undistort(np.repeat(cover[..., None], 3, axis=2), camera)[0][..., 0]
        pixels, k = _undistort(pixels, camera)
    if cover is not None:  # over black; JPEG leaves traces beyond the edge
        cover = np.ascontiguousarray(cover)
        pixels = np.minimum(pixels, cover[..., None])
    return View(
        name=camera.name,
        image=np.ascontiguousarray(pixels),
        world_to_camera=camera.world_to_camera,
        k=k,
        cover=cover,
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
