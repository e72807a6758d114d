"""What the next `pulumi up` does to what a stack adopts, read from its plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.runpod import model
from scripts.splat_cli.adopt.find import Found
from scripts.splat_cli.errors import ServiceError

# Logical names in the program, by which a plan names its steps (infra/components).
ENDPOINT, BUCKET, SCRIPT = "splat-gpu-endpoint", "splat-storage-bucket", "splat-edge-script"

Steps = Mapping[str, list[Mapping[str, Any]]]


def changes(found: Found, plan: Mapping[str, Any]) -> tuple[str, ...]:
    """One line for each change in a plan (`pulumi preview --json`).

    Raises ServiceError when the plan would replace or delete one of them.
    """
    steps = _steps(plan)
    lines: list[str] = []
    if found.endpoint is not None:
        lines += [f"adopts endpoint {found.endpoint['id']} and changes:", *_endpoint_changes(found.endpoint, steps)]
    if found.bucket is not None:
        _refuse_loss(BUCKET, steps)
        lines.append(f"adopts bucket {found.bucket.name} with its objects and replaces its CORS and lifecycle rules")
    if found.script is not None:
        _refuse_loss(SCRIPT, steps)
        lines.append(f"adopts script {found.script.name} and uploads the edge Worker in its place")
        removed = sorted(found.bindings.keys() - _planned_bindings(steps))
        if removed:
            lines.append(f"  removed bindings: {', '.join(removed)}")
    return tuple(lines)


def _steps(plan: Mapping[str, Any]) -> Steps:
    """Steps by the logical name of their resource."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for step in plan.get("steps") or ():
        found.setdefault(str(step.get("urn")).rpartition("::")[2], []).append(step)
    return found


def _refuse_loss(name: str, steps: Steps) -> None:
    operations = [str(step.get("op")) for step in steps.get(name, ())]
    if "import" not in operations or any("replace" in one or "delete" in one for one in operations):
        raise ServiceError(
            f"The plan does not adopt {name}: it would {', '.join(operations) or 'leave it out'}.",
            hint="do not run `pulumi up`; check `splat pulumi preview --diff`",
        )


def _endpoint_changes(found: Mapping[str, Any], steps: Steps) -> list[str]:
    [step] = steps.get(ENDPOINT) or [{}]
    inputs = (step.get("newState") or {}).get("inputs") or {}
    if "workers" not in inputs:
        return ["  unknown before the first `pulumi up`"]
    wanted = model.canonical(inputs)
    return [_shown(one) for one in model.diff(model.align(wanted, model.canonical(found)), wanted)] or ["  nothing"]


def _shown(change: model.Change) -> str:
    if change.path.startswith("env."):  # a value may be a secret
        return f"  {change.path}: {'removed' if change.new is None else 'set'}"
    return f"  {change.path}: {_plain(change.old)} → {_plain(change.new)}"


def _plain(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _planned_bindings(steps: Steps) -> set[str]:
    """Names of the bindings that the program declares. The engine masks a list with a secret in it as a whole, so an
    unreadable list names none."""
    for step in reversed(steps.get(SCRIPT, [])):
        listed = ((step.get("newState") or {}).get("inputs") or {}).get("bindings")
        if isinstance(listed, list):
            return {str(one["name"]) for one in listed if isinstance(one, Mapping)}
    return set()
