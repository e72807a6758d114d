"""What a walk has found so far, a line per cut on disk, so that a walk that was stopped goes on where it was.
Knows names and verdicts only; lines that other sources gave are left alone and never taken over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Journal:
    """Verdicts by walk and cut. Without a file it forgets with the process."""

    def __init__(self, file: Path | None, *, sources: str) -> None:
        self._file = file
        self._sources = sources
        self._known: dict[tuple[str, str], dict[str, Any]] = {}
        if file is None or not file.exists():
            return
        for line in file.read_bytes().splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the line that was being written when the walk was killed
            if row.pop("sources") == sources:
                self._known[row.pop("walk"), row.pop("cut")] = row

    def get(self, walk: str, cut: str) -> dict[str, Any] | None:
        return self._known.get((walk, cut))

    def put(self, walk: str, cut: str, **verdict: Any) -> dict[str, Any]:
        self._known[walk, cut] = verdict
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            row = json.dumps({"sources": self._sources, "walk": walk, "cut": cut, **verdict})
            # The newline first: a line that was cut short before stays a line of its own.
            with self._file.open("a") as file:
                file.write(f"\n{row}")
        return verdict


def fingerprint(root: Path, parts: Iterable[str]) -> str:
    """Of all sources below these files and folders: same text, same verdicts."""
    digest = hashlib.sha256()
    for part in parts:
        top = root / part
        files = [top] if top.is_file() else [one for one in top.rglob("*") if one.suffix in (".py", ".mjs", ".yaml")]
        for file in sorted(files):
            digest.update(f"{file.relative_to(root)}\n{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]
