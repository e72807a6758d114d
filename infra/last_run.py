"""What the last run of this stack recorded as its outputs. Read through the engine, so it works on every backend.
For the few decisions that depend on how far an earlier run came; never for what a component can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

# The engine's own function; pulumi.StackReference is made of it, and would add a resource to every plan.
READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"


def last_outputs() -> pulumi.Output[Mapping[str, Any]]:
    """Outputs of this stack before this run; {} at its first. Secrets stay secret, so take single values."""
    organization = pulumi.get_organization() or "organization"  # what backends without any call it
    own = f"{organization}/{pulumi.get_project()}/{pulumi.get_stack()}"
    answer = pulumi.Output.from_input(pulumi.runtime.invoke_output(READ_OUTPUTS, {"name": own}))
    return pulumi.Output.unsecret(answer.apply(lambda told: dict(told.get("outputs") or {})))
