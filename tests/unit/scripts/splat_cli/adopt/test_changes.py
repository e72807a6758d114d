"""What `splat adopt` reads from a plan."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.splat_cli.adopt.changes import changes
from scripts.splat_cli.errors import ServiceError
from tests.unit.scripts.splat_cli.adopt.services import ENDPOINTS, find_existing


def plan(*, bucket: str = "import", script: tuple[str, ...] = ("import", "update"), **endpoint_inputs: Any) -> Any:
    urn = "urn:pulumi:dev::photo-splat::splat:x$t::"
    inputs = {**ENDPOINTS[0], "name": "photo-splat-dev", "env": {"SPLAT_DEPLOYMENT": "unknown"}, **endpoint_inputs}
    bindings = {"inputs": {"bindings": [{"name": "BUCKET"}, {"name": "API_TOKENS"}]}}
    return {
        "steps": [
            {"op": "create", "urn": f"{urn}splat-gpu-endpoint", "newState": {"inputs": inputs}},
            {"op": bucket, "urn": f"{urn}splat-storage-bucket"},
            *({"op": op, "urn": f"{urn}splat-edge-script", "newState": bindings} for op in script),
        ]
    }


def test_the_next_up_is_previewed_field_by_field_without_any_value_of_a_variable() -> None:
    found = find_existing(endpoint="splat", bucket="splats", script="splat-api")
    lines = changes(found, plan(workers={"min": 0, "max": 2, "idleTimeout": 10}))
    assert lines == (
        "adopts endpoint ep1 and changes:",
        "  env.S3_SECRET: removed",
        "  env.SPLAT_DEPLOYMENT: set",
        "  name: splat -fb → photo-splat-dev",
        "  workers.max: 3 → 2",
        "  workers.min: 1 → 0",
        "adopts bucket splats with its objects and replaces its CORS and lifecycle rules",
        "adopts script splat-api and uploads the edge Worker in its place",
        "  removed bindings: RUNPOD_KEY",
    )
    assert "s3cr3t" not in "".join(lines)


@pytest.mark.parametrize(
    "made", [plan(bucket="create"), plan(script=("import", "replace")), plan(script=("create",)), {"steps": []}]
)
def test_a_plan_that_would_not_adopt_is_an_error_and_not_a_line(made: Any) -> None:
    with pytest.raises(ServiceError, match="does not adopt"):
        changes(find_existing(bucket="splats", script="splat-api"), made)
