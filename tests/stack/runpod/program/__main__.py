"""RunPod's resources as `declared.json` in the working folder says: `{kind: {name: arguments}}`.
A text `@name` inside arguments is the id of that resource."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.runpod.resources.credential import RegistryCredential
from infra.runpod.resources.endpoint import Endpoint

declared = json.loads(Path("declared.json").read_text())
made: dict[str, Any] = {}


def resolved(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: resolved(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner) for inner in value]
    return made[value[1:]].id if isinstance(value, str) and value.startswith("@") else value


for name, arguments in declared.get("RegistryCredential", {}).items():
    made[name] = RegistryCredential(name, **arguments)
for name, inputs in declared.get("Endpoint", {}).items():
    made[name] = Endpoint(name, resolved(inputs))
