"""A copy of the match database that holds learned features behind SIFT's, and the matches of both.
Never changes the database that a later worker resumes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from splat_worker.sfm.learned.candidates import Seen
from splat_worker.sfm.matching.verified import MATCHES_MIN
from splat_worker.sfm.matching.verify import verify_pairs
from splat_worker.sfm.resume import copy_database

LEARNED_MIN = 25
"""Verified matches of a pair that SIFT does not verify, from which it counts."""


class JoinedMatches:
    """names: file names of the photos, in the order that pairs count; path: where the copy goes; with_sift: whether the
    matches that SIFT has verified stay. They are misleading where they gave no model."""

    def __init__(self, source: Path, path: Path, names: Sequence[str], *, with_sift: bool) -> None:
        copy_database(source, path, descriptors=False)
        self.path, self._names = path, names
        with pycolmap.Database.open(path) as db:
            by_name = {image.name: image.image_id for image in db.read_all_images()}
        self._ids = [by_name[name] for name in names]
        self._first_learned: dict[int, int] = {}
        self._seen = self._read()
        if not with_sift:
            with pycolmap.Database.open(path) as db:
                db.clear_matches()
                db.clear_two_view_geometries()

    def seen(self, placed: frozenset[str]) -> Seen:
        """What SIFT has found. placed: file names of photos with a camera."""
        matches, verified = self._seen
        numbers = frozenset(number for number, name in enumerate(self._names) if name in placed)
        return Seen(matches=matches, verified=verified, placed=numbers)

    def _read(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N, N) SIFT's matches and its verified matches."""
        index = {image_id: number for number, image_id in enumerate(self._ids)}
        matches, verified = (np.zeros((len(self._ids), len(self._ids)), np.int64) for _ in range(2))
        with pycolmap.Database.open(self.path) as db:
            for table, (pair_ids, counts) in (
                (matches, db.read_num_matches()),
                (verified, db.read_two_view_geometry_num_inliers()),
            ):
                for pair_id, count in zip(pair_ids, counts, strict=True):
                    i, j = (index[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
                    table[i, j] = table[j, i] = count
        return matches, np.where(verified >= MATCHES_MIN, verified, 0)

    def add_features(self, photo: int, pixels: NDArray[np.float32]) -> None:
        """(N, 2) positions in px of the photo behind those of SIFT."""
        with pycolmap.Database.open(self.path) as db:
            before = np.asarray(db.read_keypoints(self._ids[photo]), np.float32)
            frame = {2: (), 4: (1.0, 0.0), 6: (1.0, 0.0, 0.0, 1.0)}[before.shape[1]]
            rows = np.hstack([pixels, np.tile(np.array(frame, np.float32), (len(pixels), 1))])
            self._first_learned[photo] = len(before)
            db.update_keypoints(self._ids[photo], np.vstack([before, rows]))

    def add_matches(self, found: Mapping[tuple[int, int], NDArray[np.uint32]]) -> dict[tuple[int, int], int]:
        """Matches (M, 2) of learned features by pair of photos, verified together with those that SIFT has verified.
        Returns the verified matches of each pair, 0 if they are too few to count."""
        with pycolmap.Database.open(self.path) as db:
            by_sift = {pair: self._verified(db, pair) for pair in found}
            for pair, matches in found.items():
                one, other = (self._ids[photo] for photo in pair)
                shift = np.array([self._first_learned[photo] for photo in pair], np.uint32)
                if db.exists_matches(one, other):
                    db.delete_matches(one, other)
                if db.exists_two_view_geometry(one, other):
                    db.delete_two_view_geometry(one, other)
                db.write_matches(one, other, np.vstack([by_sift[pair], matches + shift]))
        names = [(self._names[i], self._names[j]) for i, j in found]
        verify_pairs(self.path, names, self.path.with_suffix(".txt"))
        counts = {}
        with pycolmap.Database.open(self.path) as db:
            for pair in found:
                count = len(self._verified(db, pair))
                if count < (MATCHES_MIN if len(by_sift[pair]) else LEARNED_MIN):
                    count = 0
                    db.delete_two_view_geometry(*(self._ids[photo] for photo in pair))
                counts[pair] = count
        return counts

    def _verified(self, db: pycolmap.Database, pair: tuple[int, int]) -> NDArray[np.uint32]:
        one, other = (self._ids[photo] for photo in pair)
        if not db.exists_two_view_geometry(one, other):
            return np.zeros((0, 2), np.uint32)
        matches = np.asarray(db.read_two_view_geometry(one, other).inlier_matches, np.uint32).reshape(-1, 2)
        return matches if len(matches) >= MATCHES_MIN else np.zeros((0, 2), np.uint32)
