"""Descriptor matching as matrix products on a GPU, written into COLMAP's database. COLMAP then verifies it.
Imports torch only when called.

The rule is that of COLMAP's brute-force matcher (colmap 4.2, feature/sift.cc) on angles between unit descriptors: a
match is the nearest neighbour in both directions, nearer than MAX_DISTANCE and than MAX_RATIO times the second nearest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from torch import Tensor

MAX_RATIO = 0.8
MAX_DISTANCE = 0.7  # rad
_COS_MIN = math.cos(MAX_DISTANCE)

NamePairs = Sequence[tuple[str, str]]


class GpuMatcher:
    """Writes matches into a database. A photo's descriptors stay on the torch device after its first pair."""

    def __init__(self, database: Path, *, device: str) -> None:
        self._database, self._device = database, device
        self._descriptors: dict[str, Tensor] = {}

    def write_matches(self, pairs: NamePairs) -> None:
        """Match the pairs that have no matches yet, and close the database."""
        with pycolmap.Database.open(self._database) as db:
            ids = {image.name: image.image_id for image in db.read_all_images()}
            for one, other in pairs:
                if not db.exists_matches(ids[one], ids[other]):
                    first, second = (self._of(db, name, ids[name]) for name in (one, other))
                    db.write_matches(ids[one], ids[other], mutual_matches(first, second))

    def _of(self, db: pycolmap.Database, name: str, image_id: int) -> Tensor:
        if name not in self._descriptors:
            self._descriptors[name] = unit_descriptors(db.read_descriptors(image_id).data, self._device)
        return self._descriptors[name]


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
