"""What a later worker goes on from: a copy of the match database and the cameras placed so far, and whether a copy that
came is of use. Looks for no feature, compares no photos, and knows nothing of where copies go.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from splat_worker.photos.door import Photo
from splat_worker.sfm.matching import Pairs


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a copy spares: photos whose features it holds, and pairs that it holds compared and verified."""

    photos: int
    pairs: int


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Cameras placed so far. rung: of the ladder (ladder.py) that places them; files: COLMAP's binary model of them,
    contents by file name, which fits the database that it was made from and no other."""

    rung: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, rung: str, folder: Path) -> Begun:
        return cls(rung=rung, files={path.name: path.read_bytes() for path in sorted(folder.glob("*.bin"))})

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def copy_database(source: Path, target: Path, *, descriptors: bool = True) -> None:
    """A whole copy of an SQLite database, what lies in its write-ahead log included.

    COLMAP must have it closed: pycolmap brings an SQLite of its own, and two of them in one process do not see each
    other's locks. descriptors: False once all pairs are compared; nothing else reads them, and they are four fifths of
    the bytes.
    """
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
        if not descriptors:
            new.execute("DELETE FROM descriptors")
            new.commit()
            new.execute("VACUUM")


def what_it_spares(copy: Path, photos: Sequence[Photo], pairs: Pairs) -> Kept | None:
    """None where a copy is damaged, holds other photos, or lacks descriptors that a pair still needs: COLMAP would
    find no match for that pair and say nothing."""
    try:
        with contextlib.closing(sqlite3.connect(copy)) as db:
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                return None
            ids: dict[str, int] = dict(db.execute("SELECT name, image_id FROM images"))
            featured = {row[0] for row in db.execute("SELECT image_id FROM keypoints WHERE rows > 0")}
            described = {row[0] for row in db.execute("SELECT image_id FROM descriptors")}
            compared = {row[0] for row in db.execute("SELECT pair_id FROM two_view_geometries")}
    except sqlite3.Error:
        return None
    of = [ids.get(photo.path.name) for photo in photos]
    if len(ids) > sum(i is not None for i in of):
        return None
    open_pairs = [(of[i], of[j]) for i, j in pairs if not _is_in(compared, of[i], of[j])]
    if any(i in featured - described for pair in open_pairs for i in pair):
        return None
    return Kept(photos=len(ids), pairs=len(pairs) - len(open_pairs))


def _is_in(compared: set[int], one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and pycolmap.image_pair_to_pair_id(one, other) in compared
