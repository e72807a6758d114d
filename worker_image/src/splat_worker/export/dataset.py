"""The posed photos for other programs: one zip with undistorted photos, a COLMAP model, and a dataset of nerfstudio.
All in the frame of scene.ply. Writes text with the standard library, and holds no second copy of the photos in memory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from splat_worker.export.ply import points_ply
from splat_worker.scene import Float64, PosedPhotos, View

JPEG_QUALITY = 95
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
"""nerfstudio's cameras have y up and look along -z (docs.nerf.studio, data conventions)."""


def write_dataset(target: Path, posed: PosedPhotos) -> None:
    """`images/`, `sparse/0/*.txt` (COLMAP's text format, one PINHOLE camera per photo), `transforms.json` and
    `points.ply`, which it names."""
    names = _file_names(posed)
    part = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for view, name in zip(posed.views, names, strict=True):
            photo = io.BytesIO()
            Image.fromarray(view.image).save(photo, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            archive.writestr(zipfile.ZipInfo(f"images/{name}"), photo.getvalue())
        archive.writestr("sparse/0/cameras.txt", "".join(_cameras(posed)))
        archive.writestr("sparse/0/images.txt", "".join(_images(posed, names)))
        archive.writestr("sparse/0/points3D.txt", "".join(_points(posed)))
        archive.writestr("transforms.json", json.dumps(transforms(posed, names), indent=1))
        archive.writestr("points.ply", points_ply(posed.points, posed.point_colours))
    part.replace(target)


def transforms(posed: PosedPhotos, names: list[str]) -> dict[str, object]:
    """nerfstudio's description of a dataset. Its cameras are in the frame of scene.ply."""
    return {
        "camera_model": "OPENCV",
        "ply_file_path": "points.ply",
        "frames": [_frame(view, name) for view, name in zip(posed.views, names, strict=True)],
    }


def _frame(view: View, name: str) -> dict[str, object]:
    height, width = view.image.shape[:2]
    world_from_camera = np.linalg.inv(view.world_to_camera) @ OPENGL_FROM_OPENCV
    return {
        "file_path": f"images/{name}",
        "w": width,
        "h": height,
        "fl_x": float(view.k[0, 0]),
        "fl_y": float(view.k[1, 1]),
        "cx": float(view.k[0, 2]),
        "cy": float(view.k[1, 2]),
        "transform_matrix": world_from_camera.tolist(),
    }


def _file_names(posed: PosedPhotos) -> list[str]:
    """A name per photo that every file system takes; the number keeps equal names apart."""
    return [f"{number:04}_{_plain(view.name)}.jpg" for number, view in enumerate(posed.views, start=1)]


def _plain(name: str) -> str:
    stem = PurePath(name).stem
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem)[:60]


def _cameras(posed: PosedPhotos) -> Iterator[str]:
    yield "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
    for number, view in enumerate(posed.views, start=1):
        height, width = view.image.shape[:2]
        fx, fy, cx, cy = view.k[0, 0], view.k[1, 1], view.k[0, 2], view.k[1, 2]
        yield f"{number} PINHOLE {width} {height} {fx:.9g} {fy:.9g} {cx:.9g} {cy:.9g}\n"


def _images(posed: PosedPhotos, names: list[str]) -> Iterator[str]:
    """Two lines a photo; the second, its observations, is empty."""
    yield "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# POINTS2D[] as (X, Y, POINT3D_ID)\n"
    for number, (view, name) in enumerate(zip(posed.views, names, strict=True), start=1):
        pose = [*quaternion(view.world_to_camera[:3, :3]), *view.world_to_camera[:3, 3]]
        yield f"{number} {' '.join(f'{value:.12g}' for value in pose)} {number} {name}\n\n"


def _points(posed: PosedPhotos) -> Iterator[str]:
    yield "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n"
    for number, (xyz, colour) in enumerate(zip(posed.points, posed.point_colours, strict=True), start=1):
        x, y, z = (f"{value:.9g}" for value in xyz)
        yield f"{number} {x} {y} {z} {colour[0]} {colour[1]} {colour[2]} 0\n"


def quaternion(rotation: Float64) -> tuple[float, float, float, float]:
    """(w, x, y, z), w not negative, of a rotation (3, 3): Shepperd's method, which divides by no small number."""
    m = np.asarray(rotation, dtype=np.float64)
    squares = np.array([m.trace(), m[0, 0], m[1, 1], m[2, 2]])
    largest = int(squares.argmax())
    if largest == 0:
        q = np.array([1 + m.trace(), m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        q = np.empty(4)
        q[0] = m[k, j] - m[j, k]
        q[1 + i] = 1 + m[i, i] - m[j, j] - m[k, k]
        q[1 + j] = m[j, i] + m[i, j]
        q[1 + k] = m[k, i] + m[i, k]
    q /= np.linalg.norm(q)
    q = q if q[0] >= 0 else -q
    return float(q[0]), float(q[1]), float(q[2]), float(q[3])
