"""Mends the state of a file backend after an engine was killed while writing it.
Touches nothing that can be read; never decides what a resource is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from scripts.splat_cli.errors import CommandError


def mend(backend: Path) -> list[str]:
    """Make every state file readable again. Returns the stacks that were mended.

    A state file has two parts: `x.json`, and `x.json.attrs` with its content type and MD5, which can be done
    without. The engine (3.259) writes the first by rename and the second in place: killed in between, it leaves an
    empty one and then refuses the whole state ("failed to load checkpoint: EOF"). So attributes that cannot be read
    are removed; a state that cannot be read gives way to Pulumi's own backup, one step older (what that step made
    is found again by its own mark: docs/decisions/0007 and 0008).

    Raises CommandError when a state and its backup are both unreadable; then nothing was changed for that stack.
    """
    mended = set()
    for file in sorted((backend / ".pulumi/stacks").rglob("*.json")):
        backup = file.with_name(file.name + ".bak")
        if not _is_whole(file):
            if not _is_whole(backup):
                raise CommandError(
                    f"The state of stack {file.stem} cannot be read, nor its backup ({file}).",
                    hint="restore it from a copy of yours (pulumi stack import), or remove the folder and begin anew",
                )
            draft = file.with_name(file.name + ".mended")
            shutil.copyfile(backup, draft)
            draft.replace(file)
            mended.add(file.stem)
        for part in (file, backup):
            attributes = part.with_name(part.name + ".attrs")
            if attributes.exists() and not _is_whole(attributes):
                attributes.unlink()
                mended.add(file.stem)
    return sorted(mended)


def _is_whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False
