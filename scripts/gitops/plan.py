"""A preview as Markdown: what would happen to which resource, and which image would run.
Reads `pulumi preview --json`. Shows names of changed properties, never their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.gitops.engine import Engine

COMMENT_MARK = "<!-- photo-splat plan -->"
IMAGE_KEY = "photo-splat:image"
NO_PLAN = {
    "diagnostics": [{"severity": "error", "message": "Pulumi returned no plan. The log of this run shows the reason."}]
}
NOT_BUILT = "No image of these sources exists yet. This plan keeps the current image; main builds the new one."
OUTSIDE = "Changed outside Pulumi, such as workers that RunPod lowered. A deployment corrects it:"
_SILENT = frozenset({"same", "read", "refresh"})
_WORDS = {
    "create": "create",
    "update": "update",
    "delete": "**delete**",
    "replace": "**replace**",
    "create-replacement": "**replace**",
    "delete-replaced": "**replace**",
}
ENDPOINT_TYPE = "pulumi-python:dynamic/runpod:Endpoint"
ROWS_MAX = 60


@dataclass(frozen=True, kw_only=True)
class Step:
    """One resource that would change."""

    operation: str
    kind: str
    name: str
    properties: tuple[str, ...]


def preview(engine: Engine, stack: str, *, image: str = "", refresh: bool = False) -> dict[str, Any]:
    """The engine's plan of a stack with `image`, or with the image that runs there now. The committed configuration
    does not name that image: a deployment sets it by digest (deploy.py). refresh: as a deployment does; the engine
    then names no properties."""
    image = image or str(engine.outputs(stack).get("imageReference") or "")
    with engine.config_with(stack, {IMAGE_KEY: image} if image else {}) as file:
        return engine.plan("--stack", stack, "--config-file", str(file), *(["--refresh"] if refresh else []))


def changed_outside(plan: Mapping[str, Any], refreshed: Mapping[str, Any]) -> tuple[Step, ...]:
    """What a deployment would correct although this plan leaves it alone, as an endpoint that RunPod lowered to no
    worker: the steps of a plan after a refresh that the plan without one lacks."""
    known = {(step.kind, step.name) for step in steps(plan)}
    return tuple(step for step in steps(refreshed) if (step.kind, step.name) not in known)


def steps(plan: Mapping[str, Any]) -> tuple[Step, ...]:
    """What would change, one entry per resource; a replacement's three steps are one."""
    found: dict[str, Step] = {}
    for step in plan.get("steps") or ():
        operation = str(step.get("op"))
        if operation in _SILENT:
            continue
        urn = str(step.get("urn"))
        kind = urn.split("::")[2].rpartition("$")[2]
        found[urn] = Step(
            operation=_WORDS.get(operation, operation),
            kind=kind,
            name=urn.rpartition("::")[2],
            properties=tuple(sorted(set(step.get("diffReasons") or ()))),
        )
    return tuple(found.values())


def images(plan: Mapping[str, Any]) -> tuple[str, str]:
    """The endpoint's image before and after; "" where there is none."""
    for step in plan.get("steps") or ():
        if str(step.get("urn", "")).split("::")[2].rpartition("$")[2] == ENDPOINT_TYPE:
            return _image(step.get("oldState")), _image(step.get("newState"))
    return "", ""


def problems(plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Errors that the engine reports in the plan."""
    return tuple(
        str(one.get("message", "")).strip().removeprefix("error: ")
        for one in plan.get("diagnostics") or ()
        if one.get("severity") == "error"
    )


def render(
    plan: Mapping[str, Any], *, stack: str, heading: str = "Plan", note: str = "", outside: Sequence[Step] = ()
) -> str:
    """Markdown of a plan. Its first line is the mark by which the older comment is found. outside: of
    `changed_outside`."""
    changed = steps(plan)
    lines = [COMMENT_MARK, f"### {heading} of stack `{stack}`", "", *([note, ""] if note else [])]
    if problems(plan):
        lines += ["The preview failed:", "", "```text", *_fenced(problems(plan)), "```"]
        return "\n".join(lines) + "\n"
    if not changed and not outside:
        return "\n".join([*lines, "No changes."]) + "\n"
    if changed:
        lines += _table(changed)
    before, after = images(plan)
    if after and before != after:
        lines += ["", "Worker image:", "", "```diff", *([f"- {before}"] if before else []), f"+ {after}", "```"]
    if outside:
        lines += [*([""] if changed else []), OUTSIDE, "", *_table(outside)]
    return "\n".join(lines) + "\n"


def _table(changed: Sequence[Step]) -> list[str]:
    counts: dict[str, int] = {}
    for step in changed:
        counts[step.operation] = counts.get(step.operation, 0) + 1
    lines = [", ".join(f"{number} to {operation}" for operation, number in sorted(counts.items())) + ".", ""]
    lines += ["| | resource | type | changed |", "|---|---|---|---|"]
    lines += [
        f"| {step.operation} | `{step.name}` | `{step.kind.rpartition(':')[2]}` | {_codes(step.properties)} |"
        for step in changed[:ROWS_MAX]
    ]
    if len(changed) > ROWS_MAX:
        lines.append(f"| | and {len(changed) - ROWS_MAX} more | | |")
    return lines


def _image(state: Any) -> str:
    inputs = state.get("inputs") if isinstance(state, Mapping) else None
    return str(inputs.get("image", "")) if isinstance(inputs, Mapping) else ""


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _fenced(texts: Iterable[str]) -> list[str]:
    """Lines that cannot end the fence they stand in."""
    return [line.replace("```", "'''") for text in texts for line in text.splitlines()]
