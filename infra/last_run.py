"""What the last run of this stack recorded as its outputs. Read through the engine, so it works on every backend.
For the few decisions that depend on how far an earlier run came; never for what a component can be told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.invoke import invoke_async

# The engine's own function; pulumi.StackReference is made of it, and would add a resource to every plan.
READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
# This very run writes the state that is read here. A file backend (3.259) does so in place: amid a write the engine
# finds an empty file and says so, and a moment later it is whole.
AMID_A_WRITE = "failed to load checkpoint"
PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


def last_outputs() -> pulumi.Output[Mapping[str, Any]]:
    """Outputs of this stack before this run; {} at its first. All in clear: take single values that are no secret."""
    organization = pulumi.get_organization() or "organization"  # what backends without any call it
    return pulumi.Output.from_input(_read(f"{organization}/{pulumi.get_project()}/{pulumi.get_stack()}"))


async def _read(stack: str) -> Mapping[str, Any]:
    for pause_s in PAUSES_S:
        try:
            return await _once(stack)
        except Exception as problem:
            if AMID_A_WRITE not in str(problem):
                raise
            await asyncio.sleep(pause_s)
    return await _once(stack)


async def _once(stack: str) -> Mapping[str, Any]:
    told = await invoke_async(READ_OUTPUTS, {"name": stack})
    return dict(told.get("outputs") or {})
