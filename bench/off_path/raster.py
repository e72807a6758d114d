"""Meshes and a camera to a photo: a z-buffer with mip-mapped textures, sun, sky and highlights.
Knows no scene. Supersampled; the same numbers on every run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np

from samples.render.paint.noise import Array
from samples.render.things.meshes import Mesh
from samples.render.things.parts import Finish, Part
from splat_worker.scene import Camera

SAMPLED_PX = 1280  # width in samples; at least 2 samples a pixel in each direction
NEAR_M = 0.03
SUN = np.array([0.45, -0.35, 0.82]) / np.linalg.norm([0.45, -0.35, 0.82])
SUN_SHARE, SKY_SHARE = 0.55, 0.45
EDGE_MAX_M = 0.3  # of a triangle: one that reaches before the near plane is not drawn, and each has one texture level
SHINE = {Finish.MATTE: 0.0, Finish.GLAZED: 0.35, Finish.METAL: 0.25}
SHARPNESS = 24.0  # of the highlight


@dataclass(frozen=True, kw_only=True)
class Solid:
    """All parts as one list of triangles.

    points, normals: (V, 3) metres / unit, uv: (V, 2), faces: (F, 3), part: (F,) index of each face's part.
    mips: by part, the texture and its halves, (h, w, 3) float32 in 0..1; shine: by part.
    """

    points: Array
    normals: Array
    uv: Array
    faces: Array
    part: Array
    mips: tuple[tuple[Array, ...], ...]
    shine: tuple[float, ...]


def solid(parts: Sequence[Part]) -> Solid:
    """Parts joined, large triangles split."""
    parts = [replace(part, mesh=_fine(part.mesh)) for part in parts]
    starts = np.cumsum([0] + [len(part.mesh.points) for part in parts[:-1]])
    return Solid(
        points=np.concatenate([part.mesh.points for part in parts]),
        normals=np.concatenate([part.mesh.normals for part in parts]),
        uv=np.concatenate([part.mesh.uv for part in parts]),
        faces=np.concatenate([part.mesh.faces + start for part, start in zip(parts, starts, strict=True)]),
        part=np.concatenate([np.full(len(part.mesh.faces), i) for i, part in enumerate(parts)]),
        mips=tuple(_mips(part.texture) for part in parts),
        shine=tuple(SHINE[part.finish] for part in parts),
    )


def _fine(mesh: Mesh) -> Mesh:
    """The same surface with no edge over EDGE_MAX_M: every triangle becomes four until then."""
    columns, faces = np.concatenate([mesh.points, mesh.normals, mesh.uv], axis=1), mesh.faces
    done = []
    while len(faces):
        corners = columns[faces]
        edges = np.linalg.norm(corners[:, [1, 2, 0], :3] - corners[:, :, :3], axis=2).max(1)
        done.append(faces[edges <= EDGE_MAX_M])
        faces = faces[edges > EDGE_MAX_M]
        a, b, c = columns[faces].transpose(1, 0, 2)
        first = len(columns) + np.arange(len(faces))
        ab, bc, ca = first, first + len(faces), first + 2 * len(faces)
        columns = np.concatenate([columns, (a + b) / 2, (b + c) / 2, (c + a) / 2])
        i, j, k = faces.T
        faces = np.concatenate([np.stack(f, 1) for f in ((i, ab, ca), (ab, j, bc), (ca, bc, k), (ab, bc, ca))])
    return Mesh(points=columns[:, :3], normals=columns[:, 3:6], uv=columns[:, 6:], faces=np.concatenate(done))


def _mips(texture: Array) -> tuple[Array, ...]:
    levels = [np.clip(np.asarray(texture, np.float32), 0.0, 1.0)]
    while min(levels[-1].shape[:2]) >= 4:
        top = levels[-1][: levels[-1].shape[0] // 2 * 2, : levels[-1].shape[1] // 2 * 2]
        levels.append((top[::2, ::2] + top[1::2, ::2] + top[::2, 1::2] + top[1::2, 1::2]) / 4)
    return tuple(levels)


def photo(scene: Solid, camera: Camera, sky: Callable[[Array], Array]) -> tuple[Array, Array]:
    """A photo (H, W, 3) uint8, and the depth (H, W) along the optical axis of the middle sample, 0 in the sky.

    sky: unit directions (N, 3) to colours (N, 3) in 0..1.
    """
    n = max(2, round(SAMPLED_PX / camera.width))
    width, height = camera.width * n, camera.height * n
    k = camera.k * np.array([[n], [n], [1.0]])
    local = scene.points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    depth, face, weights = _nearest(local, scene.faces, k, (height, width))
    picture = np.zeros((height, width, 3), np.float32)
    seen = face >= 0
    picture[seen] = _shaded(
        scene, (face[seen], weights[seen]), _levels(scene, local, face[seen], k[0, 0]), camera.centre
    )
    y, x = np.nonzero(~seen)
    rays = np.stack([(x + 0.5 - k[0, 2]) / k[0, 0], (y + 0.5 - k[1, 2]) / k[1, 1], np.ones(len(x))], 1)
    rays = rays @ camera.world_to_camera[:3, :3]
    picture[~seen] = sky(rays / np.linalg.norm(rays, axis=1, keepdims=True))
    small = picture.reshape(camera.height, n, camera.width, n, 3).mean((1, 3))
    middle = np.where(seen, depth, 0.0)[n // 2 :: n, n // 2 :: n]
    return np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8), middle


@numba.njit(cache=True, nogil=True)
def _nearest(local, faces, k, size):  # type: ignore[no-untyped-def]
    """The nearest triangle of each pixel: depth, index of the face or -1, and weights of its first two corners."""
    fx, fy, cx, cy = k[0, 0], k[1, 1], k[0, 2], k[1, 2]
    height, width = size
    depth = np.full((height, width), np.inf)
    face = np.full((height, width), -1, np.int64)
    weights = np.zeros((height, width, 2))
    for f in range(len(faces)):
        a, b, c = faces[f]
        za, zb, zc = local[a, 2], local[b, 2], local[c, 2]
        if za < NEAR_M or zb < NEAR_M or zc < NEAR_M:
            continue
        xa, ya = fx * local[a, 0] / za + cx, fy * local[a, 1] / za + cy
        xb, yb = fx * local[b, 0] / zb + cx, fy * local[b, 1] / zb + cy
        xc, yc = fx * local[c, 0] / zc + cx, fy * local[c, 1] / zc + cy
        area = (xb - xa) * (yc - ya) - (xc - xa) * (yb - ya)
        if abs(area) < 1e-12:
            continue
        left, right = max(0, int(np.floor(min(xa, xb, xc)))), min(width - 1, int(np.ceil(max(xa, xb, xc))))
        top, bottom = max(0, int(np.floor(min(ya, yb, yc)))), min(height - 1, int(np.ceil(max(ya, yb, yc))))
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                px, py = i + 0.5, j + 0.5
                wa = ((xb - px) * (yc - py) - (xc - px) * (yb - py)) / area
                wb = ((xc - px) * (ya - py) - (xa - px) * (yc - py)) / area
                wc = 1.0 - wa - wb
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                inverse = wa / za + wb / zb + wc / zc
                if 1.0 / inverse < depth[j, i]:
                    depth[j, i] = 1.0 / inverse
                    face[j, i] = f
                    weights[j, i, 0] = wa / za / inverse
                    weights[j, i, 1] = wb / zb / inverse
    return depth, face, weights


def _shaded(scene: Solid, hits: tuple[Array, Array], level: Array, eye: Array) -> Array:
    """(N, 3) colours of surface points. hits: (N,) face and (N, 2) weights of its first two corners; level: (N,)."""
    face, weights = hits
    corners = scene.faces[face]
    full = np.concatenate([weights, 1 - weights.sum(1, keepdims=True)], 1)[:, :, None]
    normals = (scene.normals[corners] * full).sum(1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    points = (scene.points[corners] * full).sum(1)
    to_eye = eye - points
    to_eye /= np.linalg.norm(to_eye, axis=1, keepdims=True)
    normals *= np.where((normals * to_eye).sum(1, keepdims=True) < 0, -1.0, 1.0)
    light = SUN_SHARE * np.clip(normals @ SUN, 0, None) + SKY_SHARE * (0.7 + 0.3 * normals[:, 2])
    half = SUN + to_eye
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
    highlight = np.clip((normals * half).sum(1), 0, None) ** SHARPNESS
    uv = (scene.uv[corners] * full).sum(1)
    part = scene.part[face]
    colours = np.zeros((len(face), 3), np.float32)
    for index in np.unique(part):
        mine = part == index
        paint = _sampled(scene.mips[index], uv[mine], level[mine])
        colours[mine] = paint * light[mine, None] + scene.shine[index] * highlight[mine, None]
    return colours


def _levels(scene: Solid, local: Array, face: Array, focal_px: float) -> Array:
    """(N,) how many halvings of the texture make its texels as large as a sample, from each triangle as a whole."""
    used, back = np.unique(face, return_inverse=True)
    corners = scene.faces[used]
    p, uv = local[corners], scene.uv[corners]
    sides = np.array([scene.mips[i][0].shape[:2] for i in scene.part[used]]).reshape(-1, 2)
    e, f = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    texels = np.abs(e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]) * sides.prod(1)
    area = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
    samples = area * (focal_px / np.maximum(p[:, :, 2].mean(1), NEAR_M)) ** 2
    return (0.5 * np.log2(np.maximum(texels / np.maximum(samples, 1e-12), 1.0)))[back]


def _sampled(mips: tuple[Array, ...], uv: Array, level: Array) -> Array:
    """(N, 3) bilinear in the nearest level; textures repeat."""
    chosen = np.clip(np.rint(level).astype(int), 0, len(mips) - 1)
    out = np.zeros((len(uv), 3), np.float32)
    for index in np.unique(chosen):
        texture, mine = mips[index], chosen == index
        h, w = texture.shape[:2]
        x, y = uv[mine, 0] * w - 0.5, uv[mine, 1] * h - 0.5
        x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]
        top = texture[y0 % h, x0 % w] * (1 - fx) + texture[y0 % h, (x0 + 1) % w] * fx
        low = texture[(y0 + 1) % h, x0 % w] * (1 - fx) + texture[(y0 + 1) % h, (x0 + 1) % w] * fx
        out[mine] = top * (1 - fy) + low * fy
    return out
