"""Options of the geometric verification of matches, and its run on pairs that already have matches.
The seed is fixed for each pair, so that the result does not depend on which thread verifies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pycolmap

RANDOM_SEED = 0


def verification_options() -> pycolmap.TwoViewGeometryOptions:
    """COLMAP's defaults with a fixed seed. Without one, each thread draws from a sequence of its own, and the pairs
    that a thread gets depend on the machine's load."""
    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.random_seed = RANDOM_SEED
    return options


def verify_pairs(database: Path, pairs: Sequence[tuple[str, str]], list_file: Path) -> None:
    """Verify the matches of pairs of file names. list_file: where COLMAP reads the pairs from."""
    list_file.write_text("".join(f"{one} {other}\n" for one, other in pairs))
    pycolmap.verify_matches(database, list_file, options=verification_options())
