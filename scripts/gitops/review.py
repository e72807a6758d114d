"""Review stacks: `pr-N` goes up for a pull request and is destroyed when it closes; strays are swept.
Takes numbers only from outside, so that no text of a pull request can name a stack or a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.gitops.engine import Engine, EngineFailed

TEMPLATE = "Pulumi.review.yaml"
NEVER_DEPLOYED = "no previous deployment"
# Longer than any job in .github/workflows that changes a review stack may take.
LOCK_IS_LEFT = timedelta(hours=2)
# Of "the stack is currently locked by 1 lock(s)": … created by user@machine (pid 12) at 2026-11-25T12:58:21Z
_LOCKED = re.compile(r"created by .+ \(pid \d+\) at (\S+)")
_STACK = re.compile(r"^pr-([1-9][0-9]{0,8})$")


class BadNumber(Exception):
    """Something that is no pull request's number."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep did: stacks destroyed, and those that could not be, with the reason."""

    destroyed: tuple[str, ...]
    failed: Mapping[str, str]


def stack_name(number: str) -> str:
    """`pr-N`. Raises BadNumber for anything but a plain number."""
    name = f"pr-{number}"
    if not _STACK.match(name):
        raise BadNumber(f"{number!r} is no number of a pull request")
    return name


def open_stack(engine: Engine, number: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Deploy the pull request's stack, or bring it to its newest commit. Returns its outputs."""
    stack = stack_name(number)
    file = engine.folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        if stack in engine.stacks():
            _fetch_config(engine, stack)
        else:
            _take_template(engine, stack)
            engine.run("stack", "init", stack, "--no-select")
    for key, value in settings.items():
        engine.run("config", "set", "--stack", stack, "--plaintext", "--", key, value)
    engine.run("up", "--stack", stack, "--yes", "--skip-preview")
    return engine.outputs(stack)


def close_stack(engine: Engine, number: str) -> bool:
    """Destroy the pull request's stack with everything in it. False when there was none."""
    stack = stack_name(number)
    if stack not in engine.stacks():
        return False
    if not (engine.folder / f"Pulumi.{stack}.yaml").exists():
        _fetch_config(engine, stack)
    _destroy(engine, stack)
    engine.run("stack", "rm", stack, "--yes")
    return True


def sweep(engine: Engine, open_numbers: Iterable[str]) -> Swept:
    """Destroy every review stack whose pull request is not open. One that fails does not stop the others."""
    kept = {stack_name(number) for number in open_numbers}
    destroyed, failed = [], {}
    for stack in engine.stacks():
        match = _STACK.match(stack)
        if match is None or stack in kept:
            continue
        try:
            close_stack(engine, match.group(1))
            destroyed.append(stack)
        except EngineFailed as problem:
            failed[stack] = str(problem)
    return Swept(destroyed=tuple(destroyed), failed=failed)


def _destroy(engine: Engine, stack: str) -> None:
    """A runner that was killed leaves its lock, and nobody else would ever give it up. One that is older than any job
    of ours may run is such a lock."""
    try:
        engine.run("destroy", "--stack", stack, "--yes", "--skip-preview")
    except EngineFailed as failure:
        locked = [datetime.fromisoformat(at) for at in _LOCKED.findall(str(failure))]
        if not locked or datetime.now(UTC) - max(locked) < LOCK_IS_LEFT:
            raise
        engine.run("cancel", stack, "--yes")
        engine.run("destroy", "--stack", stack, "--yes", "--skip-preview")


def _fetch_config(engine: Engine, stack: str) -> None:
    """A fresh checkout has no file for the stack; the engine knows what it was last deployed with. Of a stack whose
    first deployment was cut off it knows nothing: then the template is all there was."""
    try:
        engine.run("config", "refresh", "--stack", stack, "--force")
    except EngineFailed as failure:
        if NEVER_DEPLOYED not in str(failure):
            raise
        _take_template(engine, stack)


def _take_template(engine: Engine, stack: str) -> None:
    (engine.folder / f"Pulumi.{stack}.yaml").write_text((engine.folder / TEMPLATE).read_text("utf-8"), "utf-8")
