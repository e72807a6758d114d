"""What a later worker resumes a search for cameras from: a copy of the match database and a partial model.
Finds no features and compares no photos.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching.chosen import read_chosen


@dataclass(frozen=True, kw_only=True)
class Reusable:
    """What a match database already holds: photos with features, and verified pairs."""

    photos: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class PartialModel:
    """Cameras placed so far. rung: the ladder's rung that places them; files: COLMAP's binary model by file name.
    It fits only the database that it was made from."""

    rung: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, rung: str, folder: Path) -> PartialModel:
        return cls(rung=rung, files={path.name: path.read_bytes() for path in sorted(folder.glob("*.bin"))})

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def copy_database(source: Path, target: Path, *, descriptors: bool = True) -> None:
    """A complete copy of an SQLite database, including its write-ahead log.

    COLMAP must have closed it: pycolmap brings its own SQLite, and two of them in one process do not see each other's
    locks. descriptors: pass False once all pairs are verified; nothing else reads them, and they take four fifths of
    the bytes.
    """
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
        if not descriptors:
            new.execute("DELETE FROM descriptors")
            new.commit()
            new.execute("VACUUM")


def reusable_work(database: Path, photos: Sequence[Photo]) -> Reusable | None:
    """None if the database is damaged, holds other photos, or lacks descriptors that a pair still needs: COLMAP would
    silently find no match for that pair. Before pairs are chosen, every photo needs them."""
    try:
        with contextlib.closing(sqlite3.connect(database)) as db:
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                return None
            ids: dict[str, int] = dict(db.execute("SELECT name, image_id FROM images"))
            featured = {row[0] for row in db.execute("SELECT image_id FROM keypoints WHERE rows > 0")}
            described = {row[0] for row in db.execute("SELECT image_id FROM descriptors")}
            verified = {row[0] for row in db.execute("SELECT pair_id FROM two_view_geometries")}
        rounds = read_chosen(database, [photo.path.name for photo in photos])
    except sqlite3.Error:
        return None
    of = [ids.get(photo.path.name) for photo in photos]
    if len(ids) > sum(i is not None for i in of):
        return None
    if rounds is None:
        return Reusable(photos=len(ids), pairs=0) if featured <= described else None
    pairs = sum(rounds, ())
    open_pairs = [(of[i], of[j]) for i, j in pairs if not _is_in(verified, of[i], of[j])]
    if any(i in featured - described for pair in open_pairs for i in pair):
        return None
    return Reusable(photos=len(ids), pairs=len(pairs) - len(open_pairs))


def _is_in(verified: set[int], one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and pycolmap.image_pair_to_pair_id(one, other) in verified
