"""What the verified matches say about the camera's motion before any camera is placed: photos from one spot, and a
background that does not move.
Pure: matches in, shares out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float64
from splat_worker.sfm.matching.verified import VerifiedPair

ROTATION_MAX_PX = 4.0
"""COLMAP's limit for a verified match: what a rotation explains within it shows no depth."""
ONE_SPOT_SHARE = 0.9
"""Share of the verified matches, explained by rotations alone, from which all photos come from one spot. A drawn
rotation reaches 1.0; walks, orbits and flights of our sets 0.02 to 0.45."""
FOCALS_OF_SIDE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
"""Focal lengths tried without a tag."""
LONG_OF_SIDE, ONE_SPOT_PEAK = 8.0, 0.1
"""Seen through a long lens, a camera that slides along a flat wall seems to turn. A camera that truly turns fits its
own focal length better than such a lens, by at least this share of the matches (drawn ones: 0.3 to 0.6)."""
DISTORTIONS = (-0.1, 0.0, 0.1)
PAIRS_TRIED, MATCHES_TRIED = 60, 60
STEPS = 4
STILL_OF_SIDE = 0.003
"""Shift, as a share of the longer side, below which a match stands still: 3 px of 1000."""
STILL_PAIR_SHARE = 0.5
STILL_BACKGROUND_SHARE = 0.5
"""Share of the pairs, most of whose matches stand still, from which the background stands still. A turntable in front
of a wall reaches 1.0; sets taken by hand or from the air 0.00."""


@dataclass(frozen=True, kw_only=True)
class Lens:
    """Size of a photo in px, and its focal length by its tags if there is one."""

    width: int
    height: int
    focal_px: float | None


def still_background(pairs: Sequence[VerifiedPair], lenses: Mapping[str, Lens]) -> bool:
    """Whether the matches of most pairs stay where they are in the picture, as of a room behind a turntable."""
    if len(pairs) < 3:
        return False
    shares = [np.mean(is_still(pair.first_px, pair.second_px, _side(lenses[pair.first]))) for pair in pairs]
    return float(np.mean(np.array(shares) > STILL_PAIR_SHARE)) >= STILL_BACKGROUND_SHARE


def is_still(first_px: Float64, second_px: Float64, side_px: float) -> np.ndarray:
    """(M,) bool: matches (M, 2) that hardly move in photos with this longer side."""
    moved: np.ndarray = np.linalg.norm(first_px - second_px, axis=1) <= STILL_OF_SIDE * side_px
    return moved


def from_one_spot(pairs: Sequence[VerifiedPair], lenses: Mapping[str, Lens]) -> bool:
    """Whether rotations of the camera alone explain the verified matches. Such photos show no depth, and any model of
    them is made up."""
    best = share_explained_by_rotation(pairs, lenses)
    if best < ONE_SPOT_SHARE:
        return False
    long = {
        name: Lens(width=lens.width, height=lens.height, focal_px=LONG_OF_SIDE * _side(lens))
        for name, lens in lenses.items()
    }
    return share_explained_by_rotation(pairs, long) <= best - ONE_SPOT_PEAK


def share_explained_by_rotation(pairs: Sequence[VerifiedPair], lenses: Mapping[str, Lens]) -> float:
    """Largest share, 0 to 1, of the verified matches that rotations of the camera explain, over all lenses tried. 0
    without pairs."""
    chosen = pairs[:: -(-len(pairs) // PAIRS_TRIED) or 1]
    if not chosen:
        return 0.0
    first, second, known = _padded(chosen)
    sides = np.array([[_side(lenses[name]) for name in (pair.first, pair.second)] for pair in chosen], dtype=float)
    middles = np.array(
        [[(lenses[n].width / 2, lenses[n].height / 2) for n in (pair.first, pair.second)] for pair in chosen]
    )
    tagged = np.array([[lenses[n].focal_px or 0.0 for n in (pair.first, pair.second)] for pair in chosen])
    weights = np.array([pair.matches for pair in chosen], dtype=float)
    best = 0.0
    for focal_of_side in FOCALS_OF_SIDE if (tagged == 0).any() else (1.0,):
        focals = np.where(tagged > 0, tagged, focal_of_side * sides)
        for k1 in DISTORTIONS:
            rays = [
                _unit_rays((px - middles[:, i, None]) / focals[:, i, None, None], k1)
                for i, px in enumerate((first, second))
            ]
            off_px = _off_best_rotation(rays[0], rays[1], known) * focals.max(axis=1)[:, None]
            explained = ((off_px <= ROTATION_MAX_PX) & known).sum(axis=1) / known.sum(axis=1)
            best = max(best, float(np.average(explained, weights=weights)))
    return best


def _padded(pairs: Sequence[VerifiedPair]) -> tuple[Float64, Float64, np.ndarray]:
    """At most MATCHES_TRIED matches of each pair as (P, M, 2), (P, M, 2), and which of them exist, (P, M)."""
    first, second = (np.zeros((len(pairs), MATCHES_TRIED, 2)) for _ in range(2))
    known = np.zeros((len(pairs), MATCHES_TRIED), dtype=bool)
    for row, pair in enumerate(pairs):
        step = -(-len(pair.first_px) // MATCHES_TRIED)
        count = len(pair.first_px[::step])
        first[row, :count], second[row, :count] = pair.first_px[::step], pair.second_px[::step]
        known[row, :count] = True
    return first, second, known


def _unit_rays(image_plane: Float64, k1: float) -> Float64:
    """(P, M, 3) unit rays of points (P, M, 2) on the distorted image plane."""
    straight = image_plane
    for _ in range(4):
        straight = image_plane / (1 + k1 * (straight**2).sum(axis=-1, keepdims=True))
    rays = np.concatenate([straight, np.ones((*straight.shape[:2], 1))], axis=-1)
    unit: Float64 = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return unit


def _off_best_rotation(first: Float64, second: Float64, known: np.ndarray) -> Float64:
    """(P, M) distance, in rad, of `second` from `first` turned by the rotation of each pair that fits most matches.
    Matches that fit worse weigh less from step to step (Kabsch 1976, reweighted)."""
    weights = known.astype(np.float64)
    off = np.zeros(known.shape)
    for _ in range(STEPS):
        u, _, vt = np.linalg.svd(np.einsum("pm,pmi,pmj->pij", weights, second, first))
        flip = np.ones((len(u), 3))
        flip[:, 2] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * flip[:, None, :]) @ vt
        off = np.linalg.norm(second - np.einsum("pij,pmj->pmi", rotation, first), axis=-1)
        middle = np.nanmedian(np.where(known, off, np.nan), axis=1, keepdims=True)
        weights = known / np.maximum(off / np.maximum(middle, 1e-9), 0.5) ** 2
    return off


def _side(lens: Lens) -> int:
    return max(lens.width, lens.height)
