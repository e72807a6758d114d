"""Gaussians to ellipses on the image plane, and the way back for gradients, one Gaussian at a time.
Scalar float32 arithmetic called from the parallel loops of draw.py; draws no pixel.

Formulas and constants follow gsplat 1.5.3 (`_fully_fused_projection`, `_persp_proj`, `spherical_harmonics`),
which the tests compare with: the same near plane, 0.3 px^2 blur, limits of the perspective Jacobian, and colour
clamped at zero.
"""

# ruff: noqa: PLR0917  (numba kernels take their arrays by position)
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

NEAR = np.float32(0.01)
BLUR_PX2 = np.float32(0.3)
ALPHA_MIN = np.float32(1.0 / 255.0)
JACOBIAN_MARGIN = np.float32(0.3)

# one row of the packed ellipses
MX, MY, CONIC_A, CONIC_B, CONIC_C, OPACITY, RED, GREEN, BLUE, REACH, HALF_X, HALF_Y, LIFT, PER_A, PER_C = range(15)
PACKED = 16  # one cache line; LIFT is log2 of the opacity, PER_A and PER_C are 1 / CONIC_A and 1 / CONIC_C
# one row of the gradients that a band of pixels hands back: moments of dL/d(exponent), colours, error share
G0, GX, GY, GXX, GXY, GYY, GRED, GGREEN, GBLUE, GERROR = range(10)
BANDED = 10

_C0 = np.float32(0.28209479177387814)
_C1 = np.float32(0.4886025119029199)
_C2 = np.array(
    [1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396], np.float32
)
_C3 = np.array(
    [
        -0.5900435899266435,
        2.890611442640554,
        -0.4570457994644658,
        0.3731763325901154,
        -0.4570457994644658,
        1.445305721320277,
        -0.5900435899266435,
    ],
    np.float32,
)
_ZERO, _ONE, _TWO, _HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)


class Scene(NamedTuple):
    """Float32 arrays of N Gaussians: (N, 3), (N, 4), (N, 3), (N,), (N, K, 3)."""

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray


class Lens(NamedTuple):
    """A camera. pose: (12,) rows of the world-to-camera rotation, then translation; k: (4,) fx, fy, cx, cy;
    eye: (3,) its centre, world frame; width, height: px."""

    pose: np.ndarray
    k: np.ndarray
    eye: np.ndarray
    width: int
    height: int


class Gradients(NamedTuple):
    """dLoss by each array of a Scene; by the projected means, (N, 2) px; and the (N,) error share of each Gaussian."""

    means: np.ndarray
    quats: np.ndarray
    scales: np.ndarray
    opacities: np.ndarray
    sh: np.ndarray
    means2d: np.ndarray
    share: np.ndarray


@njit(cache=True, inline="always")
def rotation(w, x, y, z, out):
    """Unit quaternion to rotation, out: (9,) row by row."""
    out[0] = _ONE - _TWO * (y * y + z * z)
    out[1] = _TWO * (x * y - w * z)
    out[2] = _TWO * (x * z + w * y)
    out[3] = _TWO * (x * y + w * z)
    out[4] = _ONE - _TWO * (x * x + z * z)
    out[5] = _TWO * (y * z - w * x)
    out[6] = _TWO * (x * z - w * y)
    out[7] = _TWO * (y * z + w * x)
    out[8] = _ONE - _TWO * (x * x + y * y)


@njit(cache=True)
def sh_basis(rows, x, y, z, out):
    """Spherical harmonics of a unit direction, out: (16,), the first `rows` are set."""
    out[0] = _C0
    if rows > 1:
        out[1] = -_C1 * y
        out[2] = _C1 * z
        out[3] = -_C1 * x
    if rows > 4:
        xx, yy, zz = x * x, y * y, z * z
        out[4] = _C2[0] * x * y
        out[5] = _C2[1] * y * z
        out[6] = _C2[2] * (_TWO * zz - xx - yy)
        out[7] = _C2[3] * x * z
        out[8] = _C2[4] * (xx - yy)
        if rows > 9:
            three, four = np.float32(3), np.float32(4)
            out[9] = _C3[0] * y * (three * xx - yy)
            out[10] = _C3[1] * x * y * z
            out[11] = _C3[2] * y * (four * zz - xx - yy)
            out[12] = _C3[3] * z * (_TWO * zz - three * xx - three * yy)
            out[13] = _C3[4] * x * (four * zz - xx - yy)
            out[14] = _C3[5] * z * (xx - yy)
            out[15] = _C3[6] * x * (xx - three * yy)


@njit(cache=True)
def sh_slope(rows, x, y, z, weights, out):
    """Gradient of sum(weights * basis) with respect to the (unnormalised) direction at a unit one, out: (3,)."""
    gx = -_C1 * weights[3]
    gy = -_C1 * weights[1]
    gz = _C1 * weights[2]
    if rows > 4:
        w4, w5, w6, w7, w8 = weights[4], weights[5], weights[6], weights[7], weights[8]
        gx += _C2[0] * y * w4 - _TWO * _C2[2] * x * w6 + _C2[3] * z * w7 + _TWO * _C2[4] * x * w8
        gy += _C2[0] * x * w4 + _C2[1] * z * w5 - _TWO * _C2[2] * y * w6 - _TWO * _C2[4] * y * w8
        gz += _C2[1] * y * w5 + np.float32(4) * _C2[2] * z * w6 + _C2[3] * x * w7
        if rows > 9:
            xx, yy, zz = x * x, y * y, z * z
            three, four, six, eight = np.float32(3), np.float32(4), np.float32(6), np.float32(8)
            v9, v10, v11, v12 = _C3[0] * weights[9], _C3[1] * weights[10], _C3[2] * weights[11], _C3[3] * weights[12]
            v13, v14, v15 = _C3[4] * weights[13], _C3[5] * weights[14], _C3[6] * weights[15]
            gx += v9 * six * x * y + v10 * y * z - v11 * _TWO * x * y - v12 * six * x * z
            gx += v13 * (four * zz - three * xx - yy) + v14 * _TWO * x * z + v15 * three * (xx - yy)
            gy += v9 * three * (xx - yy) + v10 * x * z + v11 * (four * zz - xx - three * yy) - v12 * six * y * z
            gy += -v13 * _TWO * x * y - v14 * _TWO * y * z - v15 * six * x * y
            gz += v10 * x * y + v11 * eight * y * z + v12 * three * (_TWO * zz - xx - yy)
            gz += v13 * eight * x * z + v14 * (xx - yy)
    along = gx * x + gy * y + gz * z
    out[0], out[1], out[2] = gx - along * x, gy - along * y, gz - along * z


@njit(cache=True, inline="always")
def _limited(ratio, size, focal, centre):
    """x / z kept within the image plus a margin, as the Jacobian is a poor fit far off the screen."""
    margin = JACOBIAN_MARGIN * _HALF * size / focal
    return min((size - centre) / focal + margin, max(-(centre / focal + margin), ratio))


@njit(cache=True)
def spread(x, y, z, quat, scale, lens, turn, axes):
    """U (2, 3) with cov2d = U U^T, for a Gaussian at (x, y, z) in camera space.

    turn: (9,) out, the Gaussian's rotation; axes: (6,) out, U row by row.
    """
    view, k, width, height = lens.pose, lens.k, np.float32(lens.width), np.float32(lens.height)
    length = math.sqrt(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3])
    n = _ONE / max(np.float32(length), np.float32(1e-12))
    rotation(quat[0] * n, quat[1] * n, quat[2] * n, quat[3] * n, turn)
    iz = _ONE / z
    j00, j11 = k[0] * iz, k[1] * iz
    j02 = -k[0] * _limited(x * iz, width, k[0], k[2]) * iz
    j12 = -k[1] * _limited(y * iz, height, k[1], k[3]) * iz
    for c in range(3):
        t0 = j00 * view[c] + j02 * view[6 + c]
        t1 = j11 * view[3 + c] + j12 * view[6 + c]
        if c == 0:
            a0, a1 = t0, t1
        elif c == 1:
            b0, b1 = t0, t1
        else:
            c0, c1 = t0, t1
    for c in range(3):
        axes[c] = (a0 * turn[c] + b0 * turn[3 + c] + c0 * turn[6 + c]) * scale[c]
        axes[3 + c] = (a1 * turn[c] + b1 * turn[3 + c] + c1 * turn[6 + c]) * scale[c]


@njit(cache=True, inline="always")
def _camera_space(view, mean):
    x = view[0] * mean[0] + view[1] * mean[1] + view[2] * mean[2] + view[9]
    y = view[3] * mean[0] + view[4] * mean[1] + view[5] * mean[2] + view[10]
    z = view[6] * mean[0] + view[7] * mean[1] + view[8] * mean[2] + view[11]
    return x, y, z


@njit(cache=True)
def project_one(scene, i, lens, row, work):
    """Fills the packed row of Gaussian `i`. Returns the depth, or 0 where nothing of it can be seen.

    work: (32,) scratch.
    """
    mean, opacity, k = scene.means[i], scene.opacities[i], lens.k
    x, y, z = _camera_space(lens.pose, mean)
    if not z > NEAR or not opacity > ALPHA_MIN:
        return _ZERO
    turn, u = work[:9], work[9:15]
    spread(x, y, z, scene.quats[i], scene.scales[i], lens, turn, u)
    a = u[0] * u[0] + u[1] * u[1] + u[2] * u[2] + BLUR_PX2
    b = u[0] * u[3] + u[1] * u[4] + u[2] * u[5]
    c = u[3] * u[3] + u[4] * u[4] + u[5] * u[5] + BLUR_PX2
    det = np.float64(a) * np.float64(c) - np.float64(b) * np.float64(b)
    if not det > 0.0 or not math.isfinite(det):
        return _ZERO
    reach = _TWO * np.float32(math.log(opacity / ALPHA_MIN))
    half_x, half_y = np.float32(math.sqrt(reach * a)), np.float32(math.sqrt(reach * c))
    mx, my = k[0] * x / z + k[2], k[1] * y / z + k[3]
    if mx + half_x <= _ZERO or mx - half_x >= np.float32(lens.width):
        return _ZERO
    if my + half_y <= _ZERO or my - half_y >= np.float32(lens.height):
        return _ZERO
    inverse = 1.0 / det
    row[MX], row[MY] = mx, my
    row[CONIC_A] = np.float32(c * inverse)
    row[CONIC_B] = np.float32(-b * inverse)
    row[CONIC_C] = np.float32(a * inverse)
    row[OPACITY], row[REACH], row[HALF_X], row[HALF_Y] = opacity, reach, half_x, half_y
    row[LIFT] = np.float32(math.log2(opacity))
    row[PER_A], row[PER_C] = _ONE / row[CONIC_A], _ONE / row[CONIC_C]
    _colour(mean, lens.eye, scene.sh[i], row, work[16:32])
    return z


@njit(cache=True)
def _colour(mean, eye, sh, row, basis):
    rows = sh.shape[0]
    dx, dy, dz = mean[0] - eye[0], mean[1] - eye[1], mean[2] - eye[2]
    n = _ONE / max(np.float32(math.sqrt(dx * dx + dy * dy + dz * dz)), np.float32(1e-12))
    sh_basis(rows, dx * n, dy * n, dz * n, basis)
    for channel in range(3):
        value = _HALF
        for i in range(rows):
            value += basis[i] * sh[i, channel]
        row[RED + channel] = max(value, _ZERO)


@njit(cache=True)
def pull_back_one(scene, i, lens, row, g, work, out):
    """Gradients of Gaussian `i` from its banded sums `g` (BANDED,), into its rows of `out`. work: (48,) scratch."""
    mean, quat, scale, view, k = scene.means[i], scene.quats[i], scene.scales[i], lens.pose, lens.k
    width, height = np.float32(lens.width), np.float32(lens.height)
    out_mean, out_scale = out.means[i], out.scales[i]
    ca, cb, cc = row[CONIC_A], row[CONIC_B], row[CONIC_C]
    gmx = ca * g[GX] + cb * g[GY]
    gmy = cb * g[GX] + cc * g[GY]
    # conic -> covariance: -conic G conic with G = [[-gxx/2, -gxy/2], [., -gyy/2]]
    ga, gb, gc = -_HALF * g[GXX], -_HALF * g[GXY], -_HALF * g[GYY]
    m00, m01 = ca * ga + cb * gb, ca * gb + cb * gc
    m10, m11 = cb * ga + cc * gb, cb * gb + cc * gc
    v00 = -(m00 * ca + m01 * cb)
    v01 = -(m00 * cb + m01 * cc)
    v11 = -(m10 * cb + m11 * cc)

    x, y, z = _camera_space(view, mean)
    turn, u, gt = work[:9], work[9:15], work[15:24]
    spread(x, y, z, quat, scale, lens, turn, u)
    iz = _ONE / z
    rx, ry = x * iz, y * iz
    lx, ly = _limited(rx, width, k[0], k[2]), _limited(ry, height, k[1], k[3])
    j00, j11, j02, j12 = k[0] * iz, k[1] * iz, -k[0] * lx * iz, -k[1] * ly * iz

    # U = T M, M = turn * scale: dU = 2 V U, dT = dU M^T, dM = T^T dU
    d00 = d02 = d11 = d12 = _ZERO
    for c in range(3):
        du0 = _TWO * (v00 * u[c] + v01 * u[3 + c])
        du1 = _TWO * (v01 * u[c] + v11 * u[3 + c])
        scaled = _ZERO
        for r in range(3):
            t0 = j00 * view[r] + j02 * view[6 + r]
            t1 = j11 * view[3 + r] + j12 * view[6 + r]
            dm = t0 * du0 + t1 * du1
            scaled += dm * turn[3 * r + c]
            gt[3 * r + c] = dm * scale[c]
            m = turn[3 * r + c] * scale[c]
            # dJ = dT W^T, only its four free entries
            d00 += du0 * m * view[r]
            d02 += du0 * m * view[6 + r]
            d11 += du1 * m * view[3 + r]
            d12 += du1 * m * view[6 + r]
        out_scale[c] = scaled
    _turn_back(quat, gt, out.quats[i])

    gx, gy = k[0] * iz * gmx, k[1] * iz * gmy
    gz = -(rx * gx + ry * gy)
    gz -= iz * (j00 * d00 + j11 * d11)
    if rx == lx:
        gx -= k[0] * iz * iz * d02
        gz -= _TWO * iz * j02 * d02
    else:
        gz -= iz * j02 * d02
    if ry == ly:
        gy -= k[1] * iz * iz * d12
        gz -= _TWO * iz * j12 * d12
    else:
        gz -= iz * j12 * d12
    for c in range(3):
        out_mean[c] = view[c] * gx + view[3 + c] * gy + view[6 + c] * gz
    _colour_back(mean, lens.eye, scene.sh[i], row, g, work[24:44], out_mean, out.sh[i])
    out.opacities[i] = g[G0] / row[OPACITY]
    out.share[i] = g[GERROR]
    out.means2d[i, 0], out.means2d[i, 1] = gmx, gmy


@njit(cache=True)
def _turn_back(quat, g, out):
    """dL/dquat of an unnormalised quaternion from dL/drotation g: (9,)."""
    length = math.sqrt(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3])
    n = _ONE / max(np.float32(length), np.float32(1e-12))
    w, x, y, z = quat[0] * n, quat[1] * n, quat[2] * n, quat[3] * n
    gw = _TWO * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1]))
    gx = _TWO * (-_TWO * x * (g[4] + g[8]) + y * (g[1] + g[3]) + z * (g[2] + g[6]) + w * (g[7] - g[5]))
    gy = _TWO * (x * (g[1] + g[3]) - _TWO * y * (g[0] + g[8]) + z * (g[5] + g[7]) + w * (g[2] - g[6]))
    gz = _TWO * (x * (g[2] + g[6]) + y * (g[5] + g[7]) - _TWO * z * (g[0] + g[4]) + w * (g[3] - g[1]))
    along = gw * w + gx * x + gy * y + gz * z
    out[0], out[1] = (gw - along * w) * n, (gx - along * x) * n
    out[2], out[3] = (gy - along * y) * n, (gz - along * z) * n


@njit(cache=True)
def _colour_back(mean, eye, sh, row, g, work, out_mean, out_sh):
    rows = sh.shape[0]
    dx, dy, dz = mean[0] - eye[0], mean[1] - eye[1], mean[2] - eye[2]
    n = _ONE / max(np.float32(math.sqrt(dx * dx + dy * dy + dz * dz)), np.float32(1e-12))
    x, y, z = dx * n, dy * n, dz * n
    basis, slope = work[:16], work[16:19]
    sh_basis(rows, x, y, z, basis)
    red = g[GRED] if row[RED] > _ZERO else _ZERO
    green = g[GGREEN] if row[GREEN] > _ZERO else _ZERO
    blue = g[GBLUE] if row[BLUE] > _ZERO else _ZERO
    for i in range(rows):
        out_sh[i, 0], out_sh[i, 1], out_sh[i, 2] = basis[i] * red, basis[i] * green, basis[i] * blue
    if rows > 1:
        for i in range(rows):
            basis[i] = sh[i, 0] * red + sh[i, 1] * green + sh[i, 2] * blue
        sh_slope(rows, x, y, z, basis, slope)
        for c in range(3):
            out_mean[c] += slope[c] * n
