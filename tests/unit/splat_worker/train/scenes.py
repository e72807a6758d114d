"""Known Gaussians seen by known cameras, as posed photos: what the trainer can be judged against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from splat_worker.scene import Camera, Gaussians, PosedPhotos, View
from splat_worker.train.render import render


def looking_at_origin(angle: float, width: int, height: int, distance: float = 3.0, lift: float = 0.5) -> Camera:
    """A camera on a circle about the vertical, looking at the origin; y is down."""
    centre = np.array([distance * np.sin(angle), -lift, -distance * np.cos(angle)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ centre
    k = np.array([[1.2 * width, 0, width / 2], [0, 1.2 * width, height / 2], [0, 0, 1.0]])
    return Camera(world_to_camera=pose, k=k, width=width, height=height)


def blobs(n: int, seed: int = 0) -> Gaussians:
    """n coloured blobs in a ball of radius 1."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n, 3))
    means *= (rng.uniform(0, 1, (n, 1)) ** (1 / 3)) / np.linalg.norm(means, axis=1, keepdims=True)
    return Gaussians(
        means=means.astype(np.float32),
        log_scales=rng.normal(np.log(0.09), 0.3, (n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        opacity_logits=rng.normal(2.0, 1.0, n).astype(np.float32),
        sh=rng.uniform(-1.6, 1.6, (n, 1, 3)).astype(np.float32),
    )


def photos_of(gaussians: Gaussians, count: int = 9, width: int = 96, height: int = 64, seed: int = 0) -> PosedPhotos:
    """Photos from all around, and half of the blobs' centres, shaken by 0.02, as the sparse cloud."""
    rng = np.random.default_rng(seed)
    views = []
    for i in range(count):
        camera = looking_at_origin(2 * np.pi * i / count, width, height)
        image = np.rint(render(gaussians, camera) * 255).astype(np.uint8)
        views.append(View(name=f"{i:02}.jpg", image=image, world_to_camera=camera.world_to_camera, k=camera.k))
    chosen = rng.choice(len(gaussians), len(gaussians) // 2, replace=False)
    points = gaussians.means[chosen] + rng.normal(0, 0.02, (len(chosen), 3)).astype(np.float32)
    colours = np.clip(0.5 + 0.2820948 * gaussians.sh[chosen, 0], 0, 1)
    return PosedPhotos(
        views=tuple(views), points=points.astype(np.float32), point_colours=np.rint(colours * 255).astype(np.uint8)
    )


def with_oblique(posed: PosedPhotos, gaussians: Gaussians) -> PosedPhotos:
    """The same set with one more photo, from among the points: 0.004 units before one of them, and about half of them
    behind its image plane."""
    point = posed.points[np.argmin(np.linalg.norm(posed.points - posed.points.mean(0), axis=1))].astype(np.float64)
    turn = np.array([[0.8, 0.0, -0.6], [0.0, 1.0, 0.0], [0.6, 0.0, 0.8]])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn, -turn @ (point - 0.004 * turn[2])
    first = posed.views[0]
    height, width = first.image.shape[:2]
    camera = Camera(world_to_camera=pose, k=first.k, width=width, height=height)
    image = np.rint(render(gaussians, camera) * 255).astype(np.uint8)
    return replace(posed, views=(*posed.views, View(name="oblique.jpg", image=image, world_to_camera=pose, k=first.k)))
