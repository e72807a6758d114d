"""Keeps the state of a file backend readable after an engine was killed, or the disk was full, while writing it.
Leaves every readable state as it is."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from scripts.splat_cli.errors import CommandError

SCHEME = "file://"
# A state that was readable when `splat` last used it. The engine skips files with this ending.
CHECKED = ".checked"
# Unreadable bytes that a repair replaced, for a person to look at.
DAMAGED = ".damaged"
FORMS = (".json", ".json.gz")


def file_backend(variable: Callable[[str], str]) -> Path | None:
    """The folder of the file backend that the engine would use, or None for any other backend.

    variable: value of a variable of the engine's environment, "" where it is not set. Without PULUMI_BACKEND_URL the
    engine takes the last `pulumi login`.
    """
    url = variable("PULUMI_BACKEND_URL")
    if not url:
        home = Path(variable("PULUMI_HOME") or Path.home() / ".pulumi")
        with contextlib.suppress(OSError, ValueError):
            url = str(json.loads((home / "credentials.json").read_bytes()).get("current", ""))
    if not url.startswith(SCHEME):
        return None
    return Path(url.removeprefix(SCHEME).partition("?")[0] or "/").expanduser()


def keep_readable(backend: Path, *, project: str, stack: str) -> list[str]:
    """Repair one stack of a file backend that other people may use, then keep a checked copy of its state.
    Returns the repaired stacks. Leaves a stack alone whose lock another run holds. Raises CommandError as `repair`."""
    if _another_run(backend / ".pulumi/locks/organization" / project / stack):
        return []
    folder = backend / ".pulumi/stacks" / project
    files = [file for form in FORMS if (file := folder / f"{stack}{form}").exists()]
    repaired = _repair(files)
    for file in files:
        with contextlib.suppress(OSError):  # a full disk keeps the copy before
            _copy(file, _beside(file, CHECKED))
    return repaired


def repair(backend: Path) -> list[str]:
    """Make the state of every stack readable again. Returns the repaired stacks.

    A state file has two parts: `x.json`, and `x.json.attrs` with its content type and MD5, which is optional. The
    engine (3.259) writes the first by rename and the second in place. Killed in between, or on a full disk, it leaves
    empty attributes and then rejects the whole state ("failed to load checkpoint: EOF"). So unreadable attributes are
    removed. An unreadable state is replaced with the newer of Pulumi's own backup, one step older, and our checked
    copy. What the steps since then created is found again by its marker (docs/decisions/0007 and 0008).

    Raises CommandError when a state and all its copies are unreadable, or when the disk has no room for the repair.
    That stack is then unchanged.
    """
    stacks = backend / ".pulumi/stacks"
    return _repair(sorted(file for form in FORMS for file in stacks.rglob(f"*{form}")))


def _repair(files: Iterable[Path]) -> list[str]:
    repaired = set()
    for file in files:
        name = file.name.partition(".json")[0]
        backup = _beside(file, ".bak")
        if not _is_whole(file):
            copies = [copy for copy in (backup, _beside(file, CHECKED)) if _is_whole(copy)]
            if not copies:
                raise CommandError(
                    f"The state of stack {name} and its backup are unreadable ({file}).",
                    hint=f"import the newest readable file of {_backups(file)} or your own backup: "
                    f"splat pulumi stack import --stack {name} --file FILE",
                )
            try:
                _copy(file, _beside(file, DAMAGED))
                _copy(max(copies, key=lambda copy: copy.stat().st_mtime_ns), file)
            except OSError as problem:
                raise CommandError(
                    f"The state of stack {name} is unreadable and could not be repaired ({file}): {problem.strerror}.",
                    hint="free some disk space, then run the same command again",
                ) from None
            repaired.add(name)
        for part in (file, backup):
            attributes = _beside(part, ".attrs")
            if attributes.exists() and not _is_whole(attributes):
                attributes.unlink(missing_ok=True)
                repaired.add(name)
    return sorted(repaired)


def _copy(source: Path, target: Path) -> None:
    """Copy by rename, so that the target is whole at any time. Leaves a target with the same bytes alone.
    Two engine calls of one command may do this at the same time."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    draft = _beside(target, f".{secrets.token_hex(4)}.new")
    try:
        shutil.copyfile(source, draft)
        shutil.copymode(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _backups(file: Path) -> Path:
    """Where the engine keeps the states of past updates."""
    state_folder = next(parent for parent in file.parents if parent.name == ".pulumi")
    return state_folder / "backups"


def _is_whole(file: Path) -> bool:
    try:
        content = file.read_bytes()
        if ".json.gz" in file.name and not file.name.endswith(".attrs"):
            content = gzip.decompress(content)
        return isinstance(json.loads(content), dict)
    except (OSError, ValueError, EOFError):
        return False


def _another_run(locks: Path) -> bool:
    """Whether a lock of this stack belongs to a run that may still write: on another machine, or alive on this one."""
    for lock in locks.glob("*.json"):
        try:
            holder = json.loads(lock.read_bytes())
            pid, host = int(holder["pid"]), str(holder["hostname"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a run that ended just now, or one that could not even write its lock
        if host != socket.gethostname():
            return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        except PermissionError:
            return True
        return True
    return False
