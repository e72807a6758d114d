"""The cameras' rotations from those of pairs (Chatterjee and Govindu, Efficient and Robust Large-Scale Rotation
Averaging, ICCV 2013): a spanning tree, then reweighted least squares on the group of rotations.
Pure.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.algebra import angle_deg, rotation_of, turn_of

CYCLE_DEG = 5.0
"""Error around a triangle of pairs up to which they agree."""
L1_STEPS, STEPS = 15, 25
SIGMA_DEG = 5.0
ERROR_MAX_DEG = 10.0
"""A pair that turns farther from the cameras found is wrong (GLOMAP's limit)."""


def cycle_support(pairs: Tensor, turns: Tensor, photos: int) -> tuple[Tensor, Tensor]:
    """Of each pair and pose, how many third photos its triangle closes with, and (E,) how many triangles it is in.
    pairs: (E, 2); turns: (E, H, 3, 3). Returns (E, H) and (E,)."""
    first, second = pairs.unbind(1)
    dense = torch.zeros(photos, photos, 3, 3, dtype=turns.dtype, device=turns.device)
    joined = torch.zeros(photos, photos, dtype=torch.bool, device=turns.device)
    dense[first, second], dense[second, first] = turns[:, 0], turns[:, 0].transpose(1, 2)
    joined[first, second] = joined[second, first] = True
    common = joined[first] & joined[second]
    edge, third = common.nonzero(as_tuple=True)
    around = dense[third, second[edge]] @ dense[first[edge], third]
    length = common.sum(1)
    closed = [
        _per_edge(angle_deg(around, turns[edge, number]) < CYCLE_DEG, edge, len(pairs))
        for number in range(turns.shape[1])
    ]
    return torch.stack(closed, 1), length


def _per_edge(closes: Tensor, edge: Tensor, edges: int) -> Tensor:
    return torch.bincount(edge[closes], minlength=edges)


def spanning_tree(pairs: np.ndarray, weights: np.ndarray, photos: int) -> list[tuple[int, int, int]]:
    """(photo, photo placed before, pair) in the order of placing, along the heaviest pairs (Prim), from the photo with
    the most weight. Photos that no pair reaches are missing. The root is (photo, -1, -1)."""
    dense = np.full((photos, photos), -np.inf)
    number = np.full((photos, photos), -1)
    for edge, ((a, b), weight) in enumerate(zip(pairs, weights, strict=True)):
        dense[a, b] = dense[b, a] = weight
        number[a, b] = number[b, a] = edge
    root = int(np.where(np.isfinite(dense), dense, 0).sum(1).argmax())
    best, parent = np.full(photos, -np.inf), np.full(photos, -1)
    placed = np.zeros(photos, dtype=bool)
    order, at, edge = [], root, -1
    while True:
        order.append((at, int(parent[at]), edge))
        placed[at] = True
        closer = dense[at] > best
        best[closer], parent[closer] = dense[at][closer], at
        ahead = np.where(placed, -np.inf, best)
        if not np.isfinite(ahead.max()):
            return order
        at = int(ahead.argmax())
        edge = int(number[at, parent[at]])


def largest_group(pairs: np.ndarray, weights: np.ndarray, photos: int) -> list[tuple[int, int, int]]:
    """The spanning tree of the largest connected group."""
    best: list[tuple[int, int, int]] = []
    weights = weights.astype(np.float64).copy()
    left = np.ones(len(pairs), dtype=bool)
    while left.any():
        tree = spanning_tree(pairs[left], weights[left], photos)
        numbers = np.flatnonzero(left)
        tree = [(photo, parent, int(numbers[edge]) if edge >= 0 else -1) for photo, parent, edge in tree]
        if len(tree) > len(best):
            best = tree
        inside = np.zeros(photos, dtype=bool)
        inside[[photo for photo, *_ in tree]] = True
        left &= ~(inside[pairs[:, 0]] | inside[pairs[:, 1]])
    return best


def average(pairs: Tensor, turns: Tensor, weights: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotations (N, 3, 3) world to camera, the (E,) pose of each pair that agrees best and its error in degrees.

    pairs: (E, 2); turns: (E, H, 3, 3) second camera from first, of which the nearest counts; weights: (E,); start:
    (N, 3, 3). Only connected photos.
    """
    rotations = start
    photos, (first, second) = len(start), pairs.unbind(1)
    sigma = torch.deg2rad(torch.tensor(SIGMA_DEG, dtype=turns.dtype)).item()
    here = torch.arange(len(pairs), device=pairs.device)
    for step in range(L1_STEPS + STEPS):
        between = rotations[second] @ rotations[first].transpose(1, 2)
        nearest = angle_deg(turns, between[:, None]).argmin(1)
        turn = turns[here, nearest]
        error = turn_of(rotations[second].transpose(1, 2) @ turn @ rotations[first])
        size = error.norm(dim=1)
        share = 1 / size.clamp(min=1e-3) if step < L1_STEPS else 1 / (1 + (size / sigma) ** 2) ** 2
        share = share * weights
        laplacian = torch.zeros(photos, photos, dtype=turns.dtype, device=turns.device)
        laplacian[first, second] = laplacian[second, first] = -share
        laplacian -= torch.diag(laplacian.sum(1))
        incidence = torch.zeros(photos, photos, 3, dtype=turns.dtype, device=turns.device)
        incidence[second, first] = share[:, None] * error
        incidence[first, second] = -share[:, None] * error
        laplacian[0, 0] *= 2  # fixes the free turn of all
        laplacian += 1e-9 * torch.diag(laplacian.diagonal())
        move = torch.linalg.solve(laplacian.cpu(), incidence.sum(1).cpu()).to(rotations.device)
        rotations = rotations @ rotation_of(move)
        if float(move.norm(dim=1).max()) < 1e-6:
            break
    between = rotations[second] @ rotations[first].transpose(1, 2)
    errors = angle_deg(turns, between[:, None])
    nearest = errors.argmin(1)
    return rotations, nearest, errors[here, nearest]


def along_tree(tree: list[tuple[int, int, int]], pairs: Tensor, turns: Tensor, photos: int) -> Tensor:
    """(N, 3, 3) rotations world to camera along the tree; the identity for photos outside of it. turns: (E, 3, 3)."""
    host = turns.cpu()
    firsts = pairs[:, 0].tolist()
    rotations = torch.eye(3, dtype=turns.dtype).repeat(photos, 1, 1)
    for photo, parent, edge in tree:
        if parent >= 0:
            turn = host[edge] if firsts[edge] == parent else host[edge].T
            rotations[photo] = turn @ rotations[parent]
    return rotations.to(turns.device)
