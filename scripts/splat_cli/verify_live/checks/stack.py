"""Stage 6, the program itself: `pulumi up`, no changes after it, a refresh without drift, and a destroy that leaves
nothing. Finds what only the real providers do."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.verify_live.check import NotObserved, Stage

# What a stack consists of: kinds of resources with their number.
WHOLE = {
    "AccountToken": 1,
    "Endpoint": 1,
    "R2Bucket": 1,
    "R2BucketCors": 1,
    "R2BucketLifecycle": 1,
    "WorkersCronTrigger": 1,
    "WorkersScript": 1,
    "WorkersScriptSubdomain": 1,
}


class Engine(Protocol):
    """`pulumi` for the stack of one run (scripts.splat_cli.stack.Engine)."""

    def run(self, *arguments: str, quiet: bool = False) -> str: ...

    def plan(self) -> dict[str, Any]: ...

    def encrypted_export(self) -> dict[str, Any]: ...


MakeEngine = Callable[[str], contextlib.AbstractContextManager[Engine]]


@dataclass(kw_only=True)
class Stack:
    """left: kinds of what exists in the accounts with the run's name."""

    engine: Engine
    left: Callable[[], list[str]]
    kinds: dict[str, int] = field(default_factory=dict)
    after_up: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    remains: list[str] = field(default_factory=list)

    def start(self) -> None:
        """The whole life of the stack once; the checks read what was seen."""
        try:
            self.engine.run("up", "--yes", "--skip-preview", quiet=True)
            for one in self.engine.encrypted_export()["deployment"]["resources"]:
                kind = str(one["type"]).rpartition(":")[2]
                if kind in WHOLE:
                    self.kinds[kind] = self.kinds.get(kind, 0) + 1
            self.after_up = _changes(self.engine.plan())
            self.engine.run("refresh", "--yes", quiet=True)
            self.drift = _changes(self.engine.plan())
        except (ServiceError, json.JSONDecodeError) as problem:
            raise NotObserved(str(problem)[:600]) from None
        finally:
            self.destroy()

    def destroy(self) -> None:
        """Also after a failure. What stays is removed by its name at the end of the run."""
        with contextlib.suppress(ServiceError):
            self.engine.run("destroy", "--yes", "--skip-preview", quiet=True)
        self.remains = self.left()


def _changes(plan: dict[str, Any]) -> list[str]:
    """`update WorkersScript: bindings` of every step that is more than the same."""
    found = []
    for step in plan.get("steps") or ():
        if step["op"] in ("same", "read"):
            continue
        kind = str(step["urn"]).split("::")[-2].rpartition(":")[2]
        names = sorted({str(one) for one in (step.get("diffReasons") or step.get("detailedDiff") or ())})
        found.append(f"{step['op']} {kind}" + (f": {', '.join(names)}" if names else ""))
    return sorted(found)


STAGE: Stage[Stack] = Stage(name="stack", title="pulumi up, refresh, destroy")
check = STAGE.check


@check("stack-up", how="resources of the state after pulumi up, by kind", expects=WHOLE)
def _(on: Stack) -> Any:
    return dict(sorted(on.kinds.items()))


@check("stack-no-op", how="changes that a preview right after it shows", expects=[])
def _(on: Stack) -> Any:
    return on.after_up


@check("stack-refresh", how="changes that a preview after a refresh shows", expects=[])
def _(on: Stack) -> Any:
    return on.drift


@check("stack-destroy", how="kinds of what is left after pulumi destroy", expects=[])
def _(on: Stack) -> Any:
    return on.remains
