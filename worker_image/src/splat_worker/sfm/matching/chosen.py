"""The pairs that a search compares, written into its match database once they are chosen.
A later worker that resumes from the database compares the same pairs, even where the features that chose them are gone.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from splat_worker.sfm.matching.pairs import Pairs

ROUNDS_MAX = 16
"""More than a search makes; a damaged table may hold any number."""


def write_chosen(database: Path, names: Sequence[str], rounds: Sequence[Pairs]) -> None:
    """names: file names of the photos, in the order that the pairs count. COLMAP must have closed the database."""
    rows = [(names[i], names[j], number) for number, pairs in enumerate(rounds) for i, j in pairs]
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS chosen_pairs (first TEXT, second TEXT, round INTEGER)")
        db.execute("DELETE FROM chosen_pairs")
        db.executemany("INSERT INTO chosen_pairs VALUES (?, ?, ?)", rows)


def read_chosen(database: Path, names: Sequence[str]) -> tuple[Pairs, ...] | None:
    """The pairs of each round. None if no pairs are chosen yet, those of other photos are, or the table holds what
    `write_chosen` never writes. Raises sqlite3.Error on a damaged database."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'chosen_pairs'").fetchone() is None:
            return None
        rows = db.execute("SELECT first, second, round FROM chosen_pairs ORDER BY round, rowid").fetchall()
    index = {name: number for number, name in enumerate(names)}
    if not all(_is_whole(row, index) for row in rows):
        return None
    last = max((number for *_, number in rows), default=0)
    return tuple(
        tuple((index[first], index[second]) for first, second, number in rows if number == wanted)
        for wanted in range(last + 1)
    )


def _is_whole(row: tuple[object, object, object], index: Mapping[str, int]) -> bool:
    first, second, number = row
    named = first in index and second in index and first != second
    return named and isinstance(number, int) and 0 <= number < ROUNDS_MAX
