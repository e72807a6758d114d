"""A drawn scene as training takes it: photos, true cameras, a sparse cloud as structure from motion would find it.
Drawn once and cached under bench/_out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.off_path.raster import photo, solid
from bench.off_path.scenes import SCENES, Scene
from bench.record import BENCH
from samples.render.paint.noise import Array
from splat_worker.limits import cpu_count
from splat_worker.scene import Camera, PosedPhotos, View

CACHE = BENCH / "_out" / "off_path"
FOCAL = 1.0  # of the width: 53 degrees wide
POINTS_PER_PHOTO = 260
POINT_ERROR_PX = 0.7
MATCH_MIN = 3  # photos that see a point
SKY_M = 1e4
DEPTH_SLACK = 0.01  # of the depth: a photo sees a point unless something stands before it


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """posed: the photos; beside: views off the path by their angle in degrees, with what is true there. The mask of
    such a view shows what some photo saw; the rest cannot be known."""

    name: str
    posed: PosedPhotos
    beside: dict[int, tuple[View, ...]]


def photo_set(name: str, width_px: int) -> PhotoSet:
    """The set of one scene at this width, 4:3."""
    file = CACHE / f"{name}-{width_px}.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _draw(SCENES[name](), width_px, file)
    found = np.load(file)
    k = found["k"]

    def views(kind: str) -> list[View]:
        poses = np.linalg.inv(found[f"{kind}_poses"])
        masks = found["seen"] if kind == "beside" else [None] * len(poses)
        parts = zip(found[f"{kind}_images"], poses, masks, strict=True)
        return [
            View(name=f"{kind}_{i:02d}.png", image=image, world_to_camera=pose, k=k, mask=mask)
            for i, (image, pose, mask) in enumerate(parts)
        ]

    posed = PosedPhotos(views=tuple(views("photo")), points=found["points"], point_colours=found["colours"])
    beside: dict[int, tuple[View, ...]] = {}
    for view, angle in zip(views("beside"), found["angles"].tolist(), strict=True):
        beside[angle] = (*beside.get(angle, ()), view)
    return PhotoSet(name=name, posed=posed, beside=beside)


def _draw(scene: Scene, width_px: int, file: Path) -> None:
    height_px = width_px * 3 // 4
    k = np.array([[FOCAL * width_px, 0, width_px / 2], [0, FOCAL * width_px, height_px / 2], [0, 0, 1.0]])
    everything = solid(scene.parts)

    def drawn(poses: Array) -> tuple[Array, Array, list[Camera]]:
        cameras = [Camera(world_to_camera=np.linalg.inv(pose), k=k, width=width_px, height=height_px) for pose in poses]
        with ThreadPoolExecutor(cpu_count()) as pool:
            pairs = list(pool.map(lambda camera: photo(everything, camera, scene.sky), cameras))
        return np.stack([image for image, _ in pairs]), np.stack([depth for _, depth in pairs]), cameras

    images, depths, cameras = drawn(scene.photos)
    beside_poses = np.stack([view.camera_to_world for view in scene.beside])
    points, colours = sparse_points(images, depths, cameras)
    beside, beside_depths, beside_cameras = drawn(beside_poses)
    seen = [_known(camera, depth, cameras, depths) for camera, depth in zip(beside_cameras, beside_depths, strict=True)]
    np.savez_compressed(
        file,
        k=k,
        photo_images=images,
        photo_poses=scene.photos,
        beside_images=beside,
        seen=np.stack(seen),
        beside_poses=beside_poses,
        angles=np.array([view.angle_deg for view in scene.beside]),
        points=points,
        colours=colours,
    )


def sparse_points(images: Array, depths: Array, cameras: list[Camera]) -> tuple[Array, Array]:
    """(P, 3) float32 and (P, 3) uint8: corners of the photos on the true surface that MATCH_MIN photos see, with an
    error of POINT_ERROR_PX on the picture and, along the ray, as wide a baseline leaves."""
    rng = np.random.default_rng(1)
    points, colours = [], []
    for image, depth, camera in zip(images, depths, cameras, strict=True):
        grey = image.astype(float).mean(-1)
        slope = np.hypot(*np.gradient(grey)) + 1e-3
        slope[depth <= 0] = 0.0
        count = min(2 * POINTS_PER_PHOTO, int((slope > 0).sum()))
        if count == 0:
            continue
        chosen = rng.choice(slope.size, count, replace=False, p=(slope / slope.sum()).ravel())
        y, x = np.unravel_index(chosen, slope.shape)
        z = depth[y, x]
        error = rng.normal(0, POINT_ERROR_PX, (2, len(x)))
        along = z * (1 + rng.normal(0, 2 * POINT_ERROR_PX / camera.k[0, 0], len(x)))
        u = (x + 0.5 + error[0] - camera.k[0, 2]) / camera.k[0, 0]
        v = (y + 0.5 + error[1] - camera.k[1, 2]) / camera.k[1, 1]
        true = _in_world(
            camera, (x + 0.5 - camera.k[0, 2]) / camera.k[0, 0], (y + 0.5 - camera.k[1, 2]) / camera.k[1, 1], z
        )
        seen = sum(_sees(other, d, true) for other, d in zip(cameras, depths, strict=True))
        kept = np.nonzero(seen >= MATCH_MIN)[0][:POINTS_PER_PHOTO]
        points.append(_in_world(camera, u, v, along)[kept])
        colours.append(image[y, x][kept])
    return np.concatenate(points).astype(np.float32), np.concatenate(colours)


def _known(camera: Camera, depth: Array, cameras: list[Camera], depths: Array) -> Array:
    """(H, W) whether a photo shows what this camera sees: the same surface, or the sky in the same direction."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width].reshape(2, -1)
    z = depth[y, x]
    u, v = (x + 0.5 - camera.k[0, 2]) / camera.k[0, 0], (y + 0.5 - camera.k[1, 2]) / camera.k[1, 1]
    points = _in_world(camera, u, v, np.where(z > 0, z, SKY_M))
    known = np.zeros(len(z), bool)
    for other, there in zip(cameras, depths, strict=True):
        known |= (
            np.where(z > 0, _sees(other, there, points), _sees(other, np.where(there > 0, 0.0, SKY_M), points, 1.0)) > 0
        )
    return known.reshape(depth.shape)


def _in_world(camera: Camera, u: Array, v: Array, z: Array) -> Array:
    local = np.stack([u * z, v * z, z], 1)
    return (local - camera.world_to_camera[:3, 3]) @ camera.world_to_camera[:3, :3]


def _sees(camera: Camera, depth: Array, points: Array, slack: float = DEPTH_SLACK) -> Array:
    """(P,) 0 or 1: whether this photo shows these points on the surface."""
    x, y, z = camera.world_to_camera[:3, :3] @ points.T + camera.world_to_camera[:3, 3:]
    ahead = np.where(z > 1e-6, z, 1.0)
    column = np.floor(camera.k[0, 0] * x / ahead + camera.k[0, 2]).astype(int)
    row = np.floor(camera.k[1, 1] * y / ahead + camera.k[1, 2]).astype(int)
    inside = (z > 1e-6) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    there = depth[np.clip(row, 0, camera.height - 1), np.clip(column, 0, camera.width - 1)]
    return (inside & (there > 0) & (np.abs(there - z) < slack * z)).astype(int)
