"""One hash over a folder's files, the same on every machine and umask.
Reads only; what a build does not take in is left out by name."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

LEFT_OUT_FOLDERS = frozenset({"__pycache__", "build", "dist", "node_modules", "tests"})
LEFT_OUT_SUFFIXES = (".pyc", ".egg-info", ".log")


class EmptyFolder(Exception):
    """There is nothing to hash where sources should be."""


def files_of(folder: Path) -> tuple[Path, ...]:
    """Files that count, sorted by their path in the folder. Hidden and generated ones do not count."""
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _counts(name) and name not in LEFT_OUT_FOLDERS]
        found += [Path(here, name) for name in names if _counts(name) or name == ".dockerignore"]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def hash_folder(folder: Path) -> str:
    """SHA-256 in hex over path, owner's run bit and content of every file that counts. Group and other
    bits do not count: they follow the umask, not the sources. Raises EmptyFolder."""
    files = files_of(folder)
    if not files:
        raise EmptyFolder(f"{folder} holds no files: is this a whole checkout?")
    digest = hashlib.sha256()
    for path in files:
        runnable = path.stat().st_mode & 0o100
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{bool(runnable):d}\0{content}\n".encode())
    return digest.hexdigest()


def _counts(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(LEFT_OUT_SUFFIXES)


if __name__ == "__main__":
    print(hash_folder(Path(sys.argv[1])))
