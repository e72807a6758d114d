"""RunPod's resources as `declared.json` in the working folder says: `{kind: {name: arguments}}`.
A text `@name` inside arguments is the id of that resource, `@@name` the reference of that secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.runpod import resources

KINDS = ("RegistryCredential", "AccountSecret", "NetworkVolume", "Endpoint")  # referred to before referring
declared = json.loads(Path("declared.json").read_text())
made: dict[str, Any] = {}


def resolved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: resolved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner) for inner in value]
    if isinstance(value, str) and value.startswith("@@"):
        return made[value[2:]].reference
    if isinstance(value, str) and value.startswith("@"):
        return made[value[1:]].id
    return value


for kind in KINDS:
    for name, arguments in declared.get(kind, {}).items():
        made[name] = getattr(resources, kind)(name, **resolved(arguments))
