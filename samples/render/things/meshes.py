"""Meshes as arrays: turned, swept and sheet surfaces, and the few moves that place them.

Pure geometry in metres, z up; knows nothing of materials or of the renderer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from samples.render.paint.noise import Array


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles. points, normals: (V, 3) metres / unit; uv: (V, 2), v down as image rows; faces: (F, 3)."""

    points: Array
    normals: Array
    uv: Array
    faces: Array

    def moved(self, offset: tuple[float, float, float] | Array) -> Mesh:
        return replace(self, points=self.points + np.asarray(offset, float))

    def turned(self, degrees: float, axis: str = "z") -> Mesh:
        """Rotated about the origin, right-handed, about one coordinate axis."""
        matrix = axis_rotation(degrees, axis)
        return replace(self, points=self.points @ matrix.T, normals=self.normals @ matrix.T)

    def facing_up(self) -> Mesh:
        """A sheet with its normals towards +z."""
        return self if self.normals[:, 2].mean() > 0 else self.inside_out()

    def inside_out(self) -> Mesh:
        return replace(self, normals=-self.normals, faces=self.faces[:, ::-1])

    def textured_from_above(self, radius: float, *, mirrored: bool = False) -> Mesh:
        """Texture projected along z; the circle of `radius` metres touches the texture's edges."""
        return replace(self, uv=self.points[:, :2] * [1, -1 if mirrored else 1] / (2 * radius) + 0.5)


def axis_rotation(degrees: float, axis: str) -> Array:
    """Rotation matrix (3, 3) about x, y or z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def joined(*meshes: Mesh) -> Mesh:
    """One mesh of many; they then share one material."""
    starts = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return Mesh(
        points=np.concatenate([mesh.points for mesh in meshes]),
        normals=np.concatenate([mesh.normals for mesh in meshes]),
        uv=np.concatenate([mesh.uv for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]),
    )


def sheet(points: Array, uv: Array, *, wraps: bool = False, flip: bool = False) -> Mesh:
    """Grid (rows, columns, 3) to a smooth mesh; normals are d/d(column) x d/d(row), `flip` turns them.

    `wraps`: the last column repeats the first, so normals are taken across the seam.
    """
    rows, columns = points.shape[:2]
    if wraps:
        ring = np.concatenate([points[:, -2:-1], points, points[:, 1:2]], axis=1)
        along = (ring[:, 2:] - ring[:, :-2]) / 2
    else:
        along = np.gradient(points, axis=1)
    down = np.gradient(points, axis=0)
    normals = np.cross(along, down)
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    # A pole of a turned surface has no along-direction: borrow the neighbour ring's mean normal.
    normals = normals / np.maximum(lengths, 1e-20)
    for row, neighbour in ((0, 1), (rows - 1, rows - 2)):
        if lengths[row].max() < 1e-12:
            mean = normals[neighbour].mean(axis=0)
            normals[row] = mean / max(np.linalg.norm(mean), 1e-12)
    if flip:
        normals = -normals
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    first, second = np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)
    faces = np.concatenate([first, second])
    if flip:
        faces = faces[:, ::-1]
    return Mesh(
        points=points.reshape(-1, 3).astype(float),
        normals=normals.reshape(-1, 3),
        uv=uv.reshape(-1, 2),
        faces=faces,
    )


def grid_uv(u: Array, v: Array) -> Array:
    """Texture coordinates (rows, columns, 2) of a grid: u (columns,), v (rows,)."""
    return np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1)


def smooth_path(knots: list[tuple[float, ...]], count: int) -> Array:
    """Centripetal-like Catmull-Rom curve through `knots` (K, D), `count` points evenly spaced by length."""
    points = np.asarray(knots, float)
    padded = np.concatenate([[2 * points[0] - points[1]], points, [2 * points[-1] - points[-2]]])
    t = np.linspace(0, len(points) - 1, 40 * len(points))
    i = np.minimum(t.astype(int), len(points) - 2)
    f = (t - i)[:, None]
    p0, p1, p2, p3 = (padded[i + k] for k in range(4))
    curve = 0.5 * (2 * p1 + (p2 - p0) * f + (2 * p0 - 5 * p1 + 4 * p2 - p3) * f**2 + (3 * p1 - p0 - 3 * p2 + p3) * f**3)
    return even(curve, count)


def profile(radii: tuple[float, ...], heights: tuple[float, ...], *, count: int) -> Array:
    """A smooth profile (count, 2) for `lathe`, from the radius and the height of each knot; metres."""
    return smooth_path([*zip(radii, heights, strict=True)], count)


def even(curve: Array, count: int) -> Array:
    """Resample a polyline (N, D) to `count` points evenly spaced by length."""
    steps = lengths_along(curve)
    where = np.linspace(0, steps[-1], count)
    return np.stack([np.interp(where, steps, curve[:, k]) for k in range(curve.shape[1])], axis=-1)


def lengths_along(curve: Array) -> Array:
    """Distance (N,) of each point of a polyline (N, D) from its start, along the line."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])


def lathe(outline: Array, *, sides: int = 128, displace: Callable[[Array, Array], Array] | None = None) -> Mesh:
    """Turn an outline (N, 2) of (radius, z), listed from top to bottom of the outside, about the z axis.

    u runs once around, v along the outline. `displace(angle, v)` scales the radius.
    """
    angle = np.linspace(0, 2 * np.pi, sides + 1)[None, :]
    v = np.linspace(0, 1, len(outline))[:, None]
    radius = outline[:, :1] * (displace(angle, v) if displace else 1.0)
    points = np.stack(
        [
            radius * np.cos(angle),
            radius * np.sin(angle),
            np.broadcast_to(outline[:, 1:], (len(outline), sides + 1)),
        ],
        axis=-1,
    )
    return sheet(points, grid_uv(angle[0] / (2 * np.pi), v[:, 0]), wraps=True, flip=True)


def tube(path: Array, radii: Array, *, sides: int = 40, flatten: float = 1.0) -> Mesh:
    """Sweep circles of `radii` (N,) along `path` (N, 3). u around, v along; `flatten` squeezes sideways."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent[0], [0.0, 1.0, 0.0])
    if np.linalg.norm(side) < 1e-6:
        side = np.array([1.0, 0.0, 0.0])
    sides_list = []
    for direction in tangent:  # carry the frame along so that it does not twist
        side = side - direction * (side @ direction)
        side /= np.linalg.norm(side)
        sides_list.append(side)
    side_a = np.stack(sides_list)
    side_b = np.cross(tangent, side_a)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.cos(angle)[None, :, None] * side_a[:, None] + flatten * np.sin(angle)[None, :, None] * side_b[:, None]
    points = path[:, None] + radii[:, None, None] * ring
    return sheet(points, grid_uv(angle / (2 * np.pi), np.linspace(0, 1, len(path))), wraps=True)


def extrusion(outline: Array, length: float) -> Mesh:
    """Extrude a polyline (N, 2) of (x, z) along y, centred. u along the outline's length, v from +y to -y."""
    steps = lengths_along(outline)
    rows = 9
    y = np.linspace(length / 2, -length / 2, rows)
    points = np.stack(np.broadcast_arrays(outline[None, :, 0], y[:, None], outline[None, :, 1]), axis=-1)
    return sheet(points, grid_uv(steps / steps[-1], np.linspace(0, 1, rows)))


def panel(corner: Array, along: Array, down: Array) -> Mesh:
    """Flat rectangle: `corner` is uv (0, 0), `along` the u edge, `down` the v edge; normal = along x down."""
    u, v = np.meshgrid([0.0, 1.0], [0.0, 1.0])
    points = np.asarray(corner, float) + u[..., None] * np.asarray(along) + v[..., None] * np.asarray(down)
    return sheet(points, np.stack([u, v], axis=-1))


def box(size: tuple[float, float, float], centre: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    """Axis-aligned box with flat faces; every face has the whole texture."""
    x, y, z = (extent / 2 for extent in size)
    ex, ey, ez = np.array([2 * x, 0, 0]), np.array([0, 2 * y, 0]), np.array([0, 0, 2 * z])
    faces = [
        panel([-x, y, z], ex, -ey),  # top: x cross -y = -z, turned below
        panel([-x, -y, -z], ex, ey),
        panel([-x, -y, z], ex, -ez),
        panel([x, y, z], -ex, -ez),
        panel([x, -y, z], ey, -ez),
        panel([-x, y, z], -ey, -ez),
    ]
    outward = []
    for face in faces:
        middle = face.points.mean(axis=0)
        outward.append(face.inside_out() if face.normals[0] @ middle < 0 else face)
    return joined(*outward).moved(centre)
