"""The backup file: gzipped JSON lines. A head, a line per entry of the API, the stack's state, an end with a count.
Knows no service. A file is whole or an error; a damaged one is never read in part."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.splat_cli.errors import CommandError

FORMAT = "photo-splat backup"
VERSION = 1
ACCOUNT = "account"
AGAIN = "make a new backup, or use an older one"


@dataclass(frozen=True, kw_only=True)
class Backup:
    """id: the edge continues an interrupted restore of the same id. entries: as the API returned them. state: of
    `pulumi stack export`, secrets encrypted; None where it was left out."""

    id: str
    stack: str
    made_at: str
    entries: tuple[dict[str, Any], ...] = field(repr=False)
    state: dict[str, Any] | None = field(default=None, repr=False)

    def scenes(self) -> dict[str, str]:
        """Names of the scenes by id."""
        return {one["of"]: str(one["tables"]["project"][0]["name"]) for one in self.entries if one["of"] != ACCOUNT}

    def jobs(self) -> int:
        """Attempts in the account's books."""
        return sum(len(one["tables"].get("job", ())) for one in self.entries if one["of"] == ACCOUNT)


def new_id() -> str:
    return f"b_{secrets.token_hex(8)}"


def write(file: Path, backup: Backup, *, forbidden: Iterable[str]) -> None:
    """Write a new file that only its owner can read. Raises CommandError for a file that exists, and for one that
    would hold a text of `forbidden`: the stack's secrets."""
    if file.exists():
        raise CommandError(f"{file} exists already.", hint="choose another name")
    head = {"format": FORMAT, "version": VERSION, "id": backup.id, "stack": backup.stack, "made_at": backup.made_at}
    lines = [head, *backup.entries, *([] if backup.state is None else [{"state": backup.state}])]
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in [*lines, {"end": len(lines)}])
    if any(secret in text for secret in forbidden):
        raise CommandError(
            "The backup would hold a secret of the stack in plain text, so it was not written.",
            hint="look for a secret in the name of a scene or photo, or in a key set without --secret",
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw:
            raw.write(gzip.compress(text.encode(), mtime=0))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def read(file: Path) -> Backup:
    """Raises CommandError for a file that is missing, damaged, incomplete, or of a newer release."""
    try:
        lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    except (OSError, EOFError, zlib.error, ValueError) as problem:
        missing = isinstance(problem, FileNotFoundError)
        what = "does not exist" if missing else "is damaged or no backup"
        raise CommandError(f"{file} {what}.", hint="check the path" if missing else AGAIN) from None
    if not lines or not all(isinstance(line, dict) for line in lines) or lines[0].get("format") != FORMAT:
        raise CommandError(f"{file} is no backup.", hint="give a file that splat backup wrote")
    head, *middle, end = lines[0], *lines[1:-1], lines[-1]
    if head.get("version") != VERSION:
        raise CommandError(
            f"{file} has format {head.get('version')}, and this release reads {VERSION}.",
            hint="use the release that wrote it, or a newer one",
        )
    if end.get("end") != len(lines) - 1:
        raise CommandError(f"{file} is incomplete.", hint=AGAIN)
    try:
        return Backup(
            id=str(head["id"]),
            stack=str(head["stack"]),
            made_at=str(head["made_at"]),
            entries=tuple(line for line in middle if "of" in line),
            state=next((dict(line["state"]) for line in middle if "state" in line), None),
        )
    except (KeyError, TypeError, ValueError):
        raise CommandError(f"{file} is damaged.", hint=AGAIN) from None
