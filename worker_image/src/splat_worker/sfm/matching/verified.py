"""The verified matches of a database as plain arrays, and the groups of photos that they connect.
Reads a COLMAP database and changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.scene import Float64

MATCHES_MIN = 15
"""Pairs with fewer verified matches are skipped; COLMAP's own minimum for a pair."""
MATCHES_PER_PAIR = 200
"""Matches read per pair, so that the time does not grow with the photos' detail."""


@dataclass(frozen=True, kw_only=True)
class VerifiedPair:
    """Two photos by file name, with `matches` verified matches. first_px, second_px: (M, 2) positions of at most
    MATCHES_PER_PAIR of them, evenly chosen, in px of the photos."""

    first: str
    second: str
    matches: int
    first_px: Float64
    second_px: Float64


def read_verified(database: Path) -> tuple[VerifiedPair, ...]:
    """All pairs with at least MATCHES_MIN verified matches, in the order of the photos."""
    with pycolmap.Database.open(database) as db:
        names = {image.image_id: image.name for image in db.read_all_images()}
        pair_ids, counts = db.read_two_view_geometry_num_inliers()
        pixels: dict[int, Float64] = {}
        found = []
        for pair_id, count in zip(pair_ids, counts, strict=True):
            if count < MATCHES_MIN:
                continue
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            matches = np.asarray(db.read_two_view_geometry(first, second).inlier_matches)
            matches = matches[:: -(-len(matches) // MATCHES_PER_PAIR)]
            for image_id in (first, second):
                if image_id not in pixels:
                    pixels[image_id] = np.asarray(db.read_keypoints(image_id), dtype=np.float64)[:, :2]
            found.append(
                VerifiedPair(
                    first=names[first],
                    second=names[second],
                    matches=int(count),
                    first_px=pixels[first][matches[:, 0]],
                    second_px=pixels[second][matches[:, 1]],
                )
            )
    return tuple(sorted(found, key=lambda pair: (pair.first, pair.second)))


def connected_groups(names: Iterable[str], pairs: Sequence[VerifiedPair]) -> tuple[frozenset[str], ...]:
    """Groups of photos that verified pairs connect, the largest first. No mapper can place photos of two groups in one
    scene."""
    group_of = {name: {name} for name in names}
    for pair in pairs:
        one, other = group_of[pair.first], group_of[pair.second]
        if one is not other:
            one |= other
            for name in other:
                group_of[name] = one
    unique = {id(group): frozenset(group) for group in group_of.values()}
    return tuple(sorted(unique.values(), key=lambda group: (-len(group), min(group))))
