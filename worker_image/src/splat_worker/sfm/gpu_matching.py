"""Descriptor matching as matrix products on a GPU, written into COLMAP's database for its own verification.
Decides no pairs and no geometry: matching.py and pycolmap do. Imports torch only when called.

The rule is COLMAP's brute-force matcher's (colmap 4.2, feature/sift.cc): angle between unit descriptors; a match is the
nearest neighbour in both directions, nearer than MAX_DISTANCE and than MAX_RATIO times the second nearest, in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pycolmap

if TYPE_CHECKING:
    from torch import Tensor

MAX_RATIO = 0.8
MAX_DISTANCE = 0.7  # rad
_COS_MIN = math.cos(MAX_DISTANCE)
_TELL_EVERY = 100  # pairs between two words of progress

NamePairs = Sequence[tuple[str, str]]


def match_pairs(
    database: Path, pairs: NamePairs, *, device: str, threads: int, on_progress: Callable[[float, str], None]
) -> None:
    """Matches the named pairs of photos and verifies them: afterwards the database is as COLMAP's matcher leaves it.

    device: a torch device; threads: cores for the verification.
    """
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        wanted = sorted({name for pair in pairs for name in pair})
        descriptors = {name: unit_descriptors(db.read_descriptors(ids[name]).data, device) for name in wanted}
        for done, (one, other) in enumerate(pairs, start=1):
            found = mutual_matches(descriptors[one], descriptors[other])
            if not db.exists_matches(ids[one], ids[other]):
                db.write_matches(ids[one], ids[other], found)
            if done % _TELL_EVERY == 0:
                on_progress(0.5 * done / len(pairs), f"Comparing photos: {done} of {len(pairs)} pairs")
    on_progress(0.5, f"Verifying {len(pairs)} pairs")
    verifier = pycolmap.GeometricVerifierOptions()
    verifier.num_threads = threads
    pycolmap.geometric_verification(database, verifier_options=verifier)
    on_progress(1.0, f"Compared photos: {len(pairs)} pairs")


def unit_descriptors(descriptors: np.ndarray, device: str) -> Tensor:
    """(N, 128) uint8 SIFT descriptors as unit vectors, float32."""
    import torch

    return torch.nn.functional.normalize(torch.from_numpy(np.array(descriptors)).to(device).float(), dim=1)


def mutual_matches(one: Tensor, other: Tensor) -> np.ndarray:
    """(M, 2) uint32 index pairs that pass the rule. one: (A, D), other: (B, D), unit rows."""
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
    """Index of the nearest along `dim`, -1 where it is too far or the second is too near."""
    import torch

    best, index = cosines.max(dim)
    at = index.unsqueeze(dim)
    kept = cosines.gather(dim, at)
    cosines.scatter_(dim, at, -1.0)
    second = cosines.amax(dim)
    cosines.scatter_(dim, at, kept)
    angle, runner_up = (torch.acos(c.clamp(-1.0, 1.0)) for c in (best, second))
    return torch.where((best >= _COS_MIN) & (angle < MAX_RATIO * runner_up), index, torch.full_like(index, -1))
