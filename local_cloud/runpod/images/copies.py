"""Images that are folders: each digest gets a copy of the folder, as if it had been pushed to a registry.
Without the copy an edit in the folder would reach workers of an earlier release."""

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
COPIES_MAX = 10  # a rollback needs the sources of an older digest again


class Copies:
    """Copies below `folder`, by digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, reference: str, sources: Path, hash_command: Sequence[str]) -> Path | None:
        """The copy of a digest, taken now if the sources have that digest. None without a digest or a copy.

        hash_command: prints the digest of a folder in hex; the path of the folder is added as last argument.
        """
        named = _DIGEST.search(reference)
        if named is None:
            return None
        digest = named[1]
        copy = self._folder / digest
        if not copy.exists() and not self._take(sources, digest, hash_command):
            return None
        os.utime(copy)  # used now, so removed last
        return copy

    def _take(self, sources: Path, digest: str, hash_command: Sequence[str]) -> bool:
        """Hashes the copy, because the sources can change while they are read."""
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
        for old in taken[:-COPIES_MAX]:
            shutil.rmtree(old, ignore_errors=True)
        return True
