"""Repairs the state of a file backend after an engine was killed while writing it.
Leaves every readable file as it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from scripts.splat_cli.errors import CommandError


def repair(backend: Path) -> list[str]:
    """Make every state file readable again. Returns the repaired stacks.

    A state file has two parts: `x.json`, and `x.json.attrs` with its content type and MD5, which is optional. The
    engine (3.259) writes the first by rename and the second in place. Killed in between, it leaves empty attributes
    and then rejects the whole state ("failed to load checkpoint: EOF"). So unreadable attributes are removed, and an
    unreadable state is replaced with Pulumi's own backup, one step older. What that step created is found again by
    its marker (docs/decisions/0007 and 0008).

    Raises CommandError when a state and its backup are both unreadable. That stack is then unchanged.
    """
    repaired = set()
    for file in sorted((backend / ".pulumi/stacks").rglob("*.json")):
        backup = file.with_name(file.name + ".bak")
        if not _is_whole(file):
            if not _is_whole(backup):
                raise CommandError(
                    f"The state of stack {file.stem} and its backup are unreadable ({file}).",
                    hint="restore it from your own backup (pulumi stack import), or remove the folder and start again",
                )
            draft = file.with_name(file.name + ".repaired")
            shutil.copyfile(backup, draft)
            draft.replace(file)
            repaired.add(file.stem)
        for part in (file, backup):
            attributes = part.with_name(part.name + ".attrs")
            if attributes.exists() and not _is_whole(attributes):
                attributes.unlink()
                repaired.add(file.stem)
    return sorted(repaired)


def _is_whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False
