"""The outputs that the last run of this stack recorded. Read through the engine, so every backend works.
Only for decisions that depend on how far an earlier run came."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.invoke import invoke_async

# The engine's own function. pulumi.StackReference uses it, but would add a resource to every plan.
READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
# This run also writes the state that is read here. A file backend (3.259) writes in place, so the engine may find an
# empty file and report it; a moment later the file is complete.
DURING_A_WRITE = "failed to load checkpoint"
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


def last_outputs() -> pulumi.Output[Mapping[str, Any]]:
    """Outputs of this stack before this run; {} at its first. Secrets among them are in plain text: do not take any."""
    organization = pulumi.get_organization() or "organization"  # the name on backends without organizations
    return pulumi.Output.from_input(_read(f"{organization}/{pulumi.get_project()}/{pulumi.get_stack()}"))


async def _read(stack: str) -> Mapping[str, Any]:
    for pause_s in PAUSES_S:
        try:
            return await _once(stack)
        except Exception as problem:
            if DURING_A_WRITE not in str(problem):
                raise
            await asyncio.sleep(pause_s)
    return await _once(stack)


async def _once(stack: str) -> Mapping[str, Any]:
    answer = await invoke_async(READ_OUTPUTS, {"name": stack})
    return dict(answer.get("outputs") or {})
