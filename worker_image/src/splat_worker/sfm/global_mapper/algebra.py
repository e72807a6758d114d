"""Batched algebra: rotations, small systems, one large Cholesky, and sums over runs of rows in a fixed order.
Pure: the same input gives the same bits on one type of device.

On a GPU nothing here needs more than products of matrices, because the image lacks cuSOLVER
(worker_image/image/left_out.py): small systems are written out, and LAPACK on the CPU takes the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12
INVERSE_STEPS = 3
BLOCK = 128


def skew(v: Tensor) -> Tensor:
    """(..., 3, 3) matrix of the cross product with v (..., 3)."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*v.shape, 3)


def rotation_of(turn: Tensor) -> Tensor:
    """(..., 3, 3) rotation by a vector (..., 3) of axis times angle in rad (Rodrigues)."""
    angle = turn.norm(dim=-1)[..., None, None]
    matrix = skew(turn)
    small = angle < 1e-8
    safe = torch.where(small, torch.ones_like(angle), angle)
    first = torch.where(small, 1 - angle**2 / 6, torch.sin(safe) / safe)
    second = torch.where(small, 0.5 - angle**2 / 24, (1 - torch.cos(safe)) / safe**2)
    return torch.eye(3, dtype=turn.dtype, device=turn.device) + first * matrix + second * matrix @ matrix


def turn_of(rotation: Tensor) -> Tensor:
    """(..., 3) axis times angle in rad of rotations (..., 3, 3). The axis is lost at exactly half a turn."""
    r = rotation
    axis = 0.5 * torch.stack(
        [r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1
    )
    sine = axis.norm(dim=-1)
    angle = torch.atan2(sine, 0.5 * (r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1))
    factor = torch.where(sine < 1e-10, torch.ones_like(sine), angle / sine.clamp(min=1e-10))
    return axis * factor[..., None]


def angle_deg(one: Tensor, other: Tensor) -> Tensor:
    """(...) angle between rotations (..., 3, 3), in degrees."""
    trace = (one * other).sum((-1, -2))
    return torch.rad2deg(torch.acos((0.5 * (trace - 1)).clamp(-1, 1)))


def inverse3(matrix: Tensor) -> Tensor:
    """(..., 3, 3) inverses by cofactors. torch's own are a call of LAPACK for each on a CPU."""
    a, b, c = matrix.unbind(-2)
    bc, ca, ab = torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)
    det = (a * bc).sum(-1)
    det = torch.where(det.abs() < 1e-300, torch.full_like(det, 1e-300), det)
    return torch.stack([bc, ca, ab], -1) / det[..., None, None]


def det3(matrix: Tensor) -> Tensor:
    """(...) determinants of (..., 3, 3)."""
    a, b, c = matrix.unbind(-2)
    return (a * torch.linalg.cross(b, c)).sum(-1)


def solved_small(matrix: Tensor, right: Tensor) -> Tensor:
    """(..., K) solutions of few unknowns, by elimination without pivots. matrix: (..., K, K) positive definite; right:
    (..., K)."""
    rows = torch.cat([matrix, right[..., None]], -1)
    size = right.shape[-1]
    for k in range(size):
        top = rows[..., k : k + 1, :] / rows[..., k : k + 1, k : k + 1]
        rest = rows - rows[..., k : k + 1] * top
        rows = torch.cat([rest[..., :k, :], top, rest[..., k + 1 :, :]], -2)
    return rows[..., size]


def least_vector(matrix: Tensor) -> Tensor:
    """(..., K) vector of length 1 of the smallest eigenvalue of (..., K, K), positive semidefinite, by inverse
    iteration."""
    size = matrix.shape[-1]
    shift = 1e-10 * matrix.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None] + 1e-300
    shifted = matrix + shift * torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    vector = torch.ones_like(matrix[..., 0]) + 0.1 * torch.arange(size, dtype=matrix.dtype, device=matrix.device)
    for _ in range(INVERSE_STEPS):
        vector = unit(solved_small(shifted, vector))
    return vector


def svd3(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 3, 3) U and V transposed, on the CPU."""
    u, _, vt = torch.linalg.svd(matrix.cpu())
    return u.to(matrix.device), vt.to(matrix.device)


def eigen3(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 3) eigenvalues of symmetric (..., 3, 3), smallest first, and their vectors as columns, on the CPU."""
    values, vectors = torch.linalg.eigh(matrix.cpu())
    return values.to(matrix.device), vectors.to(matrix.device)


def solved_large(matrix: Tensor, right: Tensor) -> Tensor | None:
    """(K,) solution by Cholesky in blocks, None if the matrix (K, K) is not positive definite. Each diagonal block is
    factored and inverted on the CPU; the rest are products of matrices."""
    factor, inverses = matrix.clone(), []
    spans = [(begin, min(begin + BLOCK, len(matrix))) for begin in range(0, len(matrix), BLOCK)]
    for begin, end in spans:
        top, info = torch.linalg.cholesky_ex(factor[begin:end, begin:end].cpu())
        if int(info) != 0:
            return None
        eye = torch.eye(end - begin, dtype=matrix.dtype).cpu()
        inverse = torch.linalg.solve_triangular(top.cpu(), eye, upper=False).to(matrix.device)
        inverses.append(inverse)
        panel = factor[end:, begin:end] @ inverse.T
        factor[end:, begin:end] = panel
        factor[end:, end:] -= panel @ panel.T
    solution = right.clone()
    for (begin, end), inverse in zip(spans, inverses, strict=True):
        solution[begin:end] = inverse @ solution[begin:end]
        solution[end:] -= factor[end:, begin:end] @ solution[begin:end]
    for (begin, end), inverse in zip(reversed(spans), reversed(inverses), strict=True):
        rest = solution[begin:end] - factor[end:, begin:end].T @ solution[end:]
        solution[begin:end] = inverse.T @ rest
    return solution


def run_sums(rows: Tensor, lengths: Tensor) -> Tensor:
    """(R, ...) sums of runs of consecutive rows (N, ...). lengths: (R,), together N. Each run is added in order, which
    atomics on a GPU do not promise."""
    if len(rows) == 0:
        return rows.new_zeros(len(lengths), *rows.shape[1:])
    flat = rows.reshape(len(rows), -1)
    sums = torch.segment_reduce(flat, "sum", lengths=lengths, axis=0, unsafe=True, initial=0)
    return sums.reshape(len(lengths), *rows.shape[1:])


def unit(v: Tensor) -> Tensor:
    """v (..., 3) at length 1."""
    return v / v.norm(dim=-1, keepdim=True).clamp(min=TINY)


def sampson(rays_1: Tensor, rays_2: Tensor, essential: Tensor) -> Tensor:
    """(...) signed Sampson distance of rays (..., 3) with third coordinate 1, on the normalised image plane.
    essential: (..., 3, 3). Hartley and Zisserman, Multiple View Geometry, 2nd edition, 11.4.3."""
    lines_2 = (essential @ rays_1[..., None]).squeeze(-1)
    lines_1 = (essential.transpose(-1, -2) @ rays_2[..., None]).squeeze(-1)
    steep = (lines_1[..., :2] ** 2).sum(-1) + (lines_2[..., :2] ** 2).sum(-1)
    return (rays_2 * lines_2).sum(-1) / steep.clamp(min=TINY**2).sqrt()
