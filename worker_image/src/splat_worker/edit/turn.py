"""Turns a scene: positions, orientations and the directions of its colours (spherical harmonics). Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from splat_worker.scene import Float64, Gaussians

UP: Float64 = np.array([0.0, -1.0, 0.0])
"""Of a scene that stands upright: x right, y down, z forward."""


def rotation_of(quat: Sequence[float]) -> Float64:
    """(3, 3) rotation of a quaternion (w, x, y, z) of any length but 0."""
    w, x, y, z = np.asarray(quat, np.float64) / np.linalg.norm(quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quat_between(before: Sequence[float], after: Sequence[float]) -> Float64:
    """(4,) the shortest turn (w, x, y, z) that brings one unit vector to another."""
    a, b = (np.asarray(v, np.float64) / np.linalg.norm(v) for v in (before, after))
    w = 1.0 + float(a @ b)
    if w < 1e-9:  # half a turn, about any axis across
        helper = np.eye(3)[int(np.argmin(np.abs(a)))]
        axis = np.cross(a, helper)
        return np.array([0.0, *(axis / np.linalg.norm(axis))])
    quat = np.array([w, *np.cross(a, b)])
    return np.asarray(quat / np.linalg.norm(quat))


def upright(up: Sequence[float]) -> Float64:
    """(4,) the turn (w, x, y, z) that makes a scene whose up is `up` stand as UP says."""
    return quat_between(up, UP)


def turned(gaussians: Gaussians, quat: Sequence[float]) -> Gaussians:
    """The scene turned about its origin by `quat` (w, x, y, z). A camera that turns along sees the same picture."""
    unit = np.asarray(quat, np.float64) / np.linalg.norm(quat)
    rotation = rotation_of(unit)
    return Gaussians(
        means=(gaussians.means.astype(np.float64) @ rotation.T).astype(np.float32),
        log_scales=gaussians.log_scales,
        quats=multiplied(unit, gaussians.quats.astype(np.float64)).astype(np.float32),
        opacity_logits=gaussians.opacity_logits,
        sh=turned_harmonics(gaussians.sh, rotation),
    )


def turned_harmonics(sh: np.ndarray, rotation: Float64) -> np.ndarray:
    """(N, K, 3) coefficients whose colour in direction `rotation @ d` is that of `sh` in direction d."""
    out = np.array(sh, copy=True)
    degree = round(sh.shape[1] ** 0.5) - 1
    # A band of degree l turns within itself. Enough directions determine its matrix exactly.
    directions = np.random.default_rng(0).normal(size=(64, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before, after = _basis(directions), _basis(directions @ rotation.T)
    for band in range(1, degree + 1):
        rows = slice(band * band, (band + 1) * (band + 1))
        matrix = np.linalg.lstsq(after[:, rows], before[:, rows], rcond=None)[0].astype(np.float32)
        out[:, rows] = np.einsum("ij,njc->nic", matrix, sh[:, rows], optimize=True)
    return out


def multiplied(a: Sequence[float], b: Float64) -> Float64:
    """Product of one quaternion (4,) with many (N, 4)."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=1,
    )


def _basis(directions: Float64) -> Float64:
    """(D, 16) real spherical harmonics of degrees 0 to 3 as 3D Gaussian splatting orders and signs them."""
    x, y, z = directions.T
    xx, yy, zz = x * x, y * y, z * z
    return np.stack(
        [
            np.full_like(x, 0.28209479177387814),
            -0.4886025119029199 * y,
            0.4886025119029199 * z,
            -0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (2 * zz - xx - yy),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
            -0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (4 * zz - xx - yy),
            0.3731763325901154 * z * (2 * zz - 3 * xx - 3 * yy),
            -0.4570457994644658 * x * (4 * zz - xx - yy),
            1.445305721320277 * z * (xx - yy),
            -0.5900435899266435 * x * (xx - 3 * yy),
        ],
        axis=1,
    )
