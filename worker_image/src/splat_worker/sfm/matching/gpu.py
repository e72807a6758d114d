"""Descriptor matching as matrix products on a GPU. Imports torch only when called.

The rule is that of COLMAP's brute-force matcher (colmap 4.2, feature/sift.cc) on angles between unit descriptors: a
match is the nearest neighbour in both directions, nearer than MAX_DISTANCE and than MAX_RATIO times the second nearest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from torch import Tensor

MAX_RATIO = 0.8
MAX_DISTANCE = 0.7  # rad
_COS_MIN = math.cos(MAX_DISTANCE)


class GpuMatcher:
    """Finds matches. A photo's descriptors stay on the torch device after its first pair."""

    def __init__(self, db: pycolmap.Database, *, device: str) -> None:
        self._db, self._device = db, device
        self._descriptors: dict[int, Tensor] = {}

    def matches(self, one: int, other: int) -> np.ndarray:
        """(M, 2) uint32 of two image ids: those that the database has, or else newly found."""
        if self._db.exists_matches(one, other):
            return np.asarray(self._db.read_matches(one, other))
        return mutual_matches(self._of(one), self._of(other))

    def _of(self, image_id: int) -> Tensor:
        if image_id not in self._descriptors:
            self._descriptors[image_id] = unit_descriptors(self._db.read_descriptors(image_id).data, self._device)
        return self._descriptors[image_id]


def unit_descriptors(descriptors: np.ndarray, device: str) -> Tensor:
    """(N, 128) uint8 SIFT descriptors as unit vectors, float32."""
    import torch

    return torch.nn.functional.normalize(torch.from_numpy(np.array(descriptors)).to(device).float(), dim=1)


def mutual_matches(one: Tensor, other: Tensor) -> np.ndarray:
    """(M, 2) uint32 index pairs that satisfy the rule. one: (A, D), other: (B, D), unit rows."""
    import torch

    if len(one) < 2 or len(other) < 2:
        return np.zeros((0, 2), np.uint32)
    cosines = one @ other.T
    forward, backward = _nearest(cosines, 1), _nearest(cosines, 0)
    rows = torch.arange(len(one), device=one.device)
    there = forward[rows].clamp(min=0)
    good = (forward >= 0) & (backward[there] == rows)
    return torch.stack([rows[good], there[good]], 1).cpu().numpy().astype(np.uint32)


def _nearest(cosines: Tensor, dim: int) -> Tensor:
    """Index of the nearest along `dim`; -1 if it is too far or the second nearest is too close."""
    import torch

    best, index = cosines.max(dim)
    at = index.unsqueeze(dim)
    saved = cosines.gather(dim, at)
    cosines.scatter_(dim, at, -1.0)
    second = cosines.amax(dim)
    cosines.scatter_(dim, at, saved)
    angle, runner_up = (torch.acos(c.clamp(-1.0, 1.0)) for c in (best, second))
    return torch.where((best >= _COS_MIN) & (angle < MAX_RATIO * runner_up), index, torch.full_like(index, -1))
