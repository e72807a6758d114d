"""Images that are folders: a release runs from a copy taken when its digest was first named, as a pushed image would.
Without it an edit in the folder would reach workers of a release that was made before it, or half of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

_NOT_COPIED = shutil.ignore_patterns("__pycache__", "node_modules", "*.pyc", "*.egg-info")
_DIGEST = re.compile(r"@sha256:([0-9a-f]{64})$")
HASH_LIMIT_S = 30
KEPT = 10  # a roll back to an older one needs its sources again, as from a registry that cleans up


class Copies:
    """Copies below `folder`, by digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, reference: str, sources: Path, hash_command: Sequence[str]) -> Path | None:
        """The copy that `reference` names; taken now if `sources` are what its digest says. None if there is none.

        hash_command: prints the digest of a folder in hex, its path being added as the last word.
        """
        named = _DIGEST.search(reference)
        if named is None:
            return None
        digest = named[1]
        copy = self._folder / digest
        if not copy.exists() and not self._take(sources, digest, hash_command):
            return None
        os.utime(copy)  # in use: the last to be cleaned up
        return copy

    def _take(self, sources: Path, digest: str, hash_command: Sequence[str]) -> bool:
        """The copy is hashed, not the sources: they may be edited while they are read."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".taking-") as scratch:
            copy = Path(shutil.copytree(sources, Path(scratch) / "copy", ignore=_NOT_COPIED))
            hashed = subprocess.run(
                [*hash_command, str(copy)], capture_output=True, text=True, timeout=HASH_LIMIT_S, check=False
            )
            if hashed.stdout.strip() != digest:
                return False
            copy.rename(self._folder / digest)
        taken = sorted(self._folder.glob("[0-9a-f]*"), key=lambda one: one.stat().st_mtime)
        for old in taken[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return True
