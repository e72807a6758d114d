"""Every body that the client can send, validated against RunPod's published document of 2026-08-20."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from infra.runpod.model import FIELDS, Wire, canonical, patch
from tests.unit.infra.runpod.test_model import BODY, bodies

DOCUMENT = json.loads((Path(__file__).parents[1] / "specs" / "runpod-rest-v2.openapi.json").read_text())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


CREATE, UPDATE = validator("CreateEndpointRequest"), validator("UpdateEndpointRequest")


def violations(judge: Draft202012Validator, body: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(body)]


@settings(max_examples=60)
@given(bodies)
def test_every_create_is_as_published(body: Wire) -> None:
    assert violations(CREATE, canonical(body)) == []


@settings(max_examples=60)
@given(bodies, bodies)
def test_every_patch_is_as_published(old: Wire, new: Wire) -> None:
    assert violations(UPDATE, patch(canonical(old), canonical(new))) == []


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - {"type"}))
def test_the_empty_form_of_each_field_is_as_published(name: str) -> None:
    if FIELDS[name].empty is not None or name == "registry":
        assert violations(UPDATE, {name: FIELDS[name].empty}) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"flashboot": True},
        {"gpu": {"pools": []}},
        {"unknown": 1},
        {"scaling": {"type": "QUEUE_DELAY"}},
        {"timeout": "600"},
    ],
)
def test_the_validator_rejects_what_the_document_forbids(broken: dict[str, Any]) -> None:
    good = canonical(BODY)
    assert violations(CREATE, good) == []
    assert violations(CREATE, {**good, **broken}) != []


def test_the_model_names_every_updatable_field() -> None:
    assert FIELDS.keys() - {"type"} == _properties("UpdateEndpointRequest") - {"templateId"}


def _properties(name: str) -> set[str]:
    found: set[str] = set()
    queue = [DOCUMENT["components"]["schemas"][name]]
    while queue:
        schema = queue.pop()
        if "$ref" in schema:
            queue.append(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        queue.extend(schema.get("allOf", ()))
        found |= schema.get("properties", {}).keys()
    return found
