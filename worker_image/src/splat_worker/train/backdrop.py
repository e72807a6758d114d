"""What lies behind a scene: a dome of large, blurred Gaussians in the colours that the photos show that way.
Pure numpy on photos, cameras and points; changes no trained Gaussian and knows no device.

Beside the path of the photos, rays leave the scene through what no photo showed, and over black these are holes. The
dome fills them with what is likely there: the sky, or a blurred continuation of the surroundings. Training has the
dome's mean colour in each photo behind the scene, so that a scene does not rely on black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from splat_worker.scene import Bool, Camera, Float32, Float64, Gaussians, View
from splat_worker.train.core.schedule import in_front_of_nothing
from splat_worker.train.core.start import SH_C0

DIRECTIONS = 1500
FAR = 4.0  # radius of the dome over the distance from the cameras' middle that 99 % of the points keep
BLUR = 0.12  # radians: how far the colours of directions run into each other
SIZE = 0.7  # standard deviation of a Gaussian over the way to its neighbours: closes the gaps between them
OPACITY = 0.98
BLOCK_PX = 16  # photos are averaged over blocks of this side


@dataclass(frozen=True, kw_only=True)
class Backdrop:
    """The dome. means: (D, 3) scene units; colours: (D, 3) 0..1; spacing: between neighbours, scene units."""

    means: Float64
    colours: Float64
    spacing: float

    def behind(self, camera: Camera) -> Float32:
        """(3,) its mean colour in this camera's picture; of the whole dome where the picture shows none of it."""
        _, _, inside = _projected(camera, self.means)
        shown = self.colours[inside] if inside.any() else self.colours
        return shown.mean(axis=0).astype(np.float32)

    def joined(self, scene: Gaussians) -> Gaussians:
        """The scene with the dome behind it."""
        count = len(self.means)
        sh = np.zeros((count, *scene.sh.shape[1:]), np.float32)
        sh[:, 0] = (self.colours - 0.5) / SH_C0
        quats = np.zeros((count, 4), np.float32)
        quats[:, 0] = 1.0
        log_scales = np.full((count, 3), np.log(SIZE * self.spacing), np.float32)
        logits = np.full(count, np.log(OPACITY / (1 - OPACITY)), np.float32)
        return Gaussians(
            means=np.concatenate([scene.means, self.means.astype(np.float32)]),
            log_scales=np.concatenate([scene.log_scales, log_scales]),
            quats=np.concatenate([scene.quats, quats]),
            opacity_logits=np.concatenate([scene.opacity_logits, logits]),
            sh=np.concatenate([scene.sh, sh]),
        )


def backdrop(views: Sequence[View], points: Float32) -> Backdrop | None:
    """The dome around these photos' cameras. points: (P, 3) the sparse cloud.

    None where the photos show a subject over black, or one that masks cut out: nothing belongs behind it.
    """
    if all(view.cover is not None for view in views) or in_front_of_nothing(tuple(views)):
        return None
    centres = np.stack([view.camera.centre for view in views])
    middle = centres.mean(axis=0)
    from_middle = np.linalg.norm(points - middle, axis=1)
    reach = max(float(np.quantile(from_middle, 0.99)), float(np.linalg.norm(centres - middle, axis=1).max()))
    directions = even_directions(DIRECTIONS)
    means = middle + FAR * reach * directions
    spacing = FAR * reach * float(np.sqrt(4 * np.pi / DIRECTIONS))
    return Backdrop(means=means, colours=_colours(views, means, directions), spacing=spacing)


def even_directions(count: int) -> Float64:
    """(count, 3) unit vectors, evenly over the sphere (Fibonacci's spiral)."""
    i = np.arange(count) + 0.5
    z = 1.0 - 2.0 * i / count
    around = np.pi * (1.0 + np.sqrt(5.0)) * i
    level = np.sqrt(1.0 - z * z)
    return np.stack([level * np.cos(around), level * np.sin(around), z], axis=1)


def _colours(views: Sequence[View], means: Float64, directions: Float64) -> Float64:
    """(D, 3) in 0..1: the mean of the photos that show a direction, at the scene's exposure, blurred over its
    neighbours. A direction that no photo shows takes after the nearest that some photo does."""
    sums, weights = np.zeros((len(means), 3)), np.zeros(len(means))
    for view in views:
        u, v, inside = _projected(view.camera, means)
        colours, valid = _averaged(view)
        colours = colours / view.gain
        row = (v[inside] * colours.shape[0]).astype(int)
        column = (u[inside] * colours.shape[1]).astype(int)
        sums[inside] += colours[row, column] * valid[row, column, None]
        weights[inside] += valid[row, column]
    known = weights > 0
    if not known.any():
        return np.full((len(means), 3), 0.5)
    near = directions @ directions[known].T
    shares = np.exp((near - near.max(axis=1, keepdims=True)) / BLUR**2)
    # An einsum and not a matrix product: its order of summation does not depend on the number of threads.
    mixed = np.einsum("dk,kc->dc", shares, sums[known])
    return np.clip(mixed / np.einsum("dk,k->d", shares, weights[known])[:, None], 0.0, 1.0)


def _projected(camera: Camera, points: Float64) -> tuple[Float64, Float64, Bool]:
    """(P,) horizontal and vertical place in the picture, 0 to 1, and whether the point is inside."""
    x, y, z = camera.world_to_camera[:3, :3] @ points.T + camera.world_to_camera[:3, 3:]
    ahead = np.where(z > 1e-9, z, 1.0)
    u = (camera.k[0, 0] * x / ahead + camera.k[0, 2]) / camera.width
    v = (camera.k[1, 1] * y / ahead + camera.k[1, 2]) / camera.height
    return u, v, (z > 1e-9) & (u >= 0) & (u < 1) & (v >= 0) & (v < 1)


def _averaged(view: View) -> tuple[Float64, Float64]:
    """(h, w, 3) mean colours in 0..1 of blocks of a photo, of their unmasked pixels, and (h, w) the share of these."""
    height, width = view.image.shape[:2]
    size = (max(1, width // BLOCK_PX), max(1, height // BLOCK_PX))
    if view.mask is None:
        small = Image.fromarray(view.image).resize(size, Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float64) / 255.0, np.ones((size[1], size[0]))
    valid = _shrunk(view.mask.astype(np.float32), size)
    parts = [_shrunk(view.image[..., c] * (view.mask / np.float32(255.0)), size) for c in range(3)]
    return np.stack(parts, axis=2) / np.maximum(valid, 1e-6)[..., None], valid


def _shrunk(values: Float32, size: tuple[int, int]) -> Float64:
    plane = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(plane.resize(size, Image.Resampling.BOX), dtype=np.float64)
