"""Takes the matches of a background that stands still out of a copy of the match database.
Never changes the database that a later worker resumes from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.sfm.matching.motion import Lens, is_still
from splat_worker.sfm.matching.verify import verify_pairs
from splat_worker.sfm.resume import copy_database

STILL_TIMES = 2
"""Pairs in which a detail stands still from which on it belongs to the background, and none of its matches count."""


def without_still_matches(database: Path, target: Path, lenses: Mapping[str, Lens]) -> Path:
    """A copy of the database at `target`, without the matches of details that stand still, verified again."""
    copy_database(database, target, descriptors=False)
    with pycolmap.Database.open(target) as db:
        names = {image.image_id: image.name for image in db.read_all_images()}
        pixels = {i: np.asarray(db.read_keypoints(i), dtype=np.float64) for i in names}
        pair_ids, all_matches = db.read_all_matches()
        still_in: dict[int, Counter[int]] = {image_id: Counter() for image_id in names}
        pairs = []
        for pair_id, found in zip(pair_ids, all_matches, strict=True):
            first, second = pycolmap.pair_id_to_image_pair(pair_id)
            matches = np.asarray(found)
            if not len(matches):
                continue
            lens = lenses[names[first]]
            stands = is_still(
                pixels[first][matches[:, 0], :2],
                pixels[second][matches[:, 1], :2],
                max(lens.width, lens.height),
            )
            for image_id, column in ((first, 0), (second, 1)):
                still_in[image_id].update(matches[stands, column].tolist())
            pairs.append((first, second, matches, stands))
        background = {
            image_id: np.array([k for k, times in counts.items() if times >= STILL_TIMES], dtype=np.int64)
            for image_id, counts in still_in.items()
        }
        for first, second, matches, stands in pairs:
            drops = stands | np.isin(matches[:, 0], background[first]) | np.isin(matches[:, 1], background[second])
            db.delete_matches(first, second)
            db.write_matches(first, second, matches[~drops])
            if db.exists_two_view_geometry(first, second):
                db.delete_two_view_geometry(first, second)
    verify_pairs(target, [(names[first], names[second]) for first, second, _, _ in pairs], target.with_suffix(".txt"))
    return target
