"""What is not known yet, as dynamic providers meet it: Pulumi's plugin gives `check` an object of a class of its own.
Turns it into the text that stands for it on the wire, which all our checks know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi.output import Unknown

from infra.runpod.plan import UNKNOWN


def as_text(value: Any) -> Any:
    """`value` with every unknown in it, at any depth, as UNKNOWN. Pulumi reads that text as unknown again."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: as_text(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_text(inner) for inner in value]
    return value
