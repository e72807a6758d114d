"""Reads an undistorted COLMAP folder (images/, sparse/*.bin) without pycolmap, for trainers under measurement.
Understands pinhole cameras only; undistort first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from splat_worker.scene import PosedPhotos, View

_PINHOLE, _SIMPLE_PINHOLE = 1, 0


@dataclass(frozen=True, kw_only=True)
class Pose:
    """One registered image. rotation: (3, 3), translation: (3,), world to camera."""

    image_id: int
    name: str
    camera_id: int
    rotation: np.ndarray
    translation: np.ndarray
    point_ids: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Model:
    """cameras: id -> (width, height, fx, fy, cx, cy); points: id -> (xyz, rgb, error)."""

    cameras: dict[int, tuple[int, int, float, float, float, float]]
    poses: tuple[Pose, ...]
    points: dict[int, tuple[tuple[float, ...], tuple[int, ...], float]]


class _Reader:
    def __init__(self, path: Path) -> None:
        self.data, self.at = path.read_bytes(), 0

    def take(self, form: str) -> tuple:
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def text(self) -> str:
        end = self.data.index(b"\0", self.at)
        word = self.data[self.at : end].decode()
        self.at = end + 1
        return word


def read_model(sparse: Path) -> Model:
    """The model in `sparse` (or `sparse/0`)."""
    sparse = sparse if (sparse / "cameras.bin").exists() else sparse / "0"
    cameras = {}
    r = _Reader(sparse / "cameras.bin")
    for _ in range(r.take("Q")[0]):
        camera_id, kind, width, height = r.take("IiQQ")
        if kind == _PINHOLE:
            fx, fy, cx, cy = r.take("4d")
        elif kind == _SIMPLE_PINHOLE:
            fx, cx, cy = r.take("3d")
            fy = fx
        else:
            raise ValueError(f"{sparse}: camera model {kind}, pinhole (0, 1) is needed: undistort the images first")
        cameras[camera_id] = (width, height, fx, fy, cx, cy)
    poses = []
    r = _Reader(sparse / "images.bin")
    for _ in range(r.take("Q")[0]):
        image_id, w, x, y, z, *t, camera_id = r.take("I7dI")
        name = r.text()
        n = r.take("Q")[0]
        seen = np.frombuffer(r.data, np.dtype([("x", "<f8"), ("y", "<f8"), ("id", "<i8")]), n, r.at)
        r.at += 24 * n
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        ids = seen["id"][seen["id"] >= 0]
        poses.append(
            Pose(
                image_id=image_id,
                name=name,
                camera_id=camera_id,
                rotation=rotation,
                translation=np.array(t),
                point_ids=ids,
            )
        )
    points = {}
    r = _Reader(sparse / "points3D.bin")
    for _ in range(r.take("Q")[0]):
        point_id, *xyz, red, green, blue, error, length = r.take("Q3d3BdQ")
        r.at += 8 * length
        points[point_id] = (tuple(xyz), (red, green, blue), error)
    return Model(cameras=cameras, poses=tuple(sorted(poses, key=lambda p: p.name)), points=points)


def read_posed(folder: Path) -> PosedPhotos:
    """The folder as training takes it; views sorted by name."""
    model = read_model(folder / "sparse")
    views = []
    for pose in model.poses:
        _, _, fx, fy, cx, cy = model.cameras[pose.camera_id]
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3], world_to_camera[:3, 3] = pose.rotation, pose.translation
        with Image.open(folder / "images" / pose.name) as image:
            pixels = np.asarray(image.convert("RGB"))
        views.append(
            View(
                name=pose.name,
                image=pixels,
                world_to_camera=world_to_camera,
                k=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]),
            )
        )
    return PosedPhotos(
        views=tuple(views),
        points=np.array([p[0] for p in model.points.values()], np.float32),
        point_colours=np.array([p[1] for p in model.points.values()], np.uint8),
    )


def write_posed(posed: PosedPhotos, folder: Path) -> None:
    """The reverse: images as JPEG, one pinhole camera a view, points without tracks."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "sparse").mkdir(exist_ok=True)
    cameras, images = [struct.pack("<Q", len(posed.views))], [struct.pack("<Q", len(posed.views))]
    for number, view in enumerate(posed.views, start=1):
        height, width = view.image.shape[:2]
        name = Path(view.name).stem + ".jpg"
        Image.fromarray(view.image).save(folder / "images" / name, quality=96)
        k = view.k
        cameras.append(struct.pack("<IiQQ4d", number, _PINHOLE, width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2]))
        quaternion, t = _quaternion(view.world_to_camera[:3, :3]), view.world_to_camera[:3, 3]
        images.append(struct.pack("<I7dI", number, *quaternion, *t, number) + name.encode() + b"\0")
        images.append(struct.pack("<Q", 0))
    points = [struct.pack("<Q", len(posed.points))]
    for number, (xyz, rgb) in enumerate(zip(posed.points.tolist(), posed.point_colours.tolist(), strict=True), start=1):
        points.append(struct.pack("<Q3d3BdQ", number, *xyz, *rgb, 0.5, 0))
    for name, parts in (("cameras", cameras), ("images", images), ("points3D", points)):
        (folder / "sparse" / f"{name}.bin").write_bytes(b"".join(parts))


def _quaternion(rotation: np.ndarray) -> tuple[float, ...]:
    """(w, x, y, z) of a rotation: the eigenvector of the largest eigenvalue of its quaternion form (Bar-Itzhack)."""
    r = rotation
    form = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], r[1, 0] + r[0, 1], r[2, 0] + r[0, 2], r[2, 1] - r[1, 2]],
            [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], r[2, 1] + r[1, 2], r[0, 2] - r[2, 0]],
            [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], r.trace()],
        ]
    )
    x, y, z, w = np.linalg.eigh(form)[1][:, -1]
    return (w, x, y, z) if w >= 0 else (-w, -x, -y, -z)
