"""Review stacks: `pr-N` is deployed for a pull request and destroyed when it closes; a sweep destroys orphans.
Accepts only numbers from outside, so that no text of a pull request can name a stack or a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from scripts.gitops.engine import Engine, EngineFailed
from scripts.gitops.tools import Failed

TEMPLATE = "Pulumi.review.yaml"
NEVER_DEPLOYED = "no previous deployment"
# Longer than the time limit of any job in .github/workflows that changes a review stack.
LOCK_IS_STALE_AFTER = timedelta(hours=2)
# In "the stack is currently locked by 1 lock(s)": … created by user@machine (pid 12) at 2026-11-25T12:58:21Z
_LOCKED = re.compile(r"created by .+ \(pid \d+\) at (\S+)")
_STACK = re.compile(r"^pr-([1-9][0-9]{0,8})$")


class BadNumber(Failed):
    """Not a pull request number."""


@dataclass(frozen=True, kw_only=True)
class Swept:
    """What a sweep did: the stacks it destroyed, and those that failed with the reason."""

    destroyed: tuple[str, ...]
    failed: Mapping[str, str]


def stack_name(number: str) -> str:
    """`pr-N`. Raises BadNumber unless `number` is a plain number."""
    name = f"pr-{number}"
    if not _STACK.match(name):
        raise BadNumber(f"{number!r} is not a pull request number.")
    return name


def open_stack(engine: Engine, number: str, settings: Mapping[str, str]) -> dict[str, Any]:
    """Deploy the pull request's stack, or update it to the newest commit. Returns its outputs."""
    stack = stack_name(number)
    file = engine.folder / f"Pulumi.{stack}.yaml"
    if not file.exists():
        if stack in engine.stacks():
            _fetch_config(engine, stack)
        else:
            _copy_template(engine, stack)
            engine.run("stack", "init", stack, "--no-select")
    for key, value in settings.items():
        engine.run("config", "set", "--stack", stack, "--plaintext", "--", key, value)
    engine.run("up", "--stack", stack, "--refresh", "--yes", "--skip-preview")
    return engine.outputs(stack)


def close_stack(engine: Engine, number: str) -> bool:
    """Destroy the pull request's stack with everything in it. Returns False when there is none."""
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
    still_open = {stack_name(number) for number in open_numbers}
    destroyed, failed = [], {}
    for stack in engine.stacks():
        match = _STACK.match(stack)
        if match is None or stack in still_open:
            continue
        try:
            close_stack(engine, match.group(1))
            destroyed.append(stack)
        except EngineFailed as problem:
            failed[stack] = str(problem)
    return Swept(destroyed=tuple(destroyed), failed=failed)


def _destroy(engine: Engine, stack: str) -> None:
    """Destroy, and cancel a lock that no job can hold any more: a killed runner never releases its own."""
    try:
        engine.run("destroy", "--stack", stack, "--yes", "--skip-preview")
    except EngineFailed as failure:
        locked = [datetime.fromisoformat(at) for at in _LOCKED.findall(str(failure))]
        if not locked or datetime.now(UTC) - max(locked) < LOCK_IS_STALE_AFTER:
            raise
        engine.run("cancel", stack, "--yes")
        engine.run("destroy", "--stack", stack, "--yes", "--skip-preview")


def _fetch_config(engine: Engine, stack: str) -> None:
    """Write the stack's file, which a fresh checkout lacks, from its last deployment. A stack whose first deployment
    was interrupted has none, and gets the template."""
    try:
        engine.run("config", "refresh", "--stack", stack, "--force")
    except EngineFailed as failure:
        if NEVER_DEPLOYED not in str(failure):
            raise
        _copy_template(engine, stack)


def _copy_template(engine: Engine, stack: str) -> None:
    (engine.folder / f"Pulumi.{stack}.yaml").write_text((engine.folder / TEMPLATE).read_text("utf-8"), "utf-8")
