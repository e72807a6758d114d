"""What a command reads of a deployed stack, from an engine that answers from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import Engine
from scripts.splat_cli.stack_access import SECRET_MARK, StackAccess, read_export, read_stack

KEY = "rpa_SECRET0OF0THE0TEST"
TOKEN = "splat_SECRET0OF0THE0TEST"


def secret(value: Any) -> dict[str, str]:
    return {SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def state(**outputs: Any) -> dict[str, Any]:
    resources = [
        {"urn": "urn:pulumi:dev::photo-splat::pulumi:pulumi:Stack::photo-splat-dev", "type": "pulumi:pulumi:Stack"}
        | {"outputs": outputs},
        {"urn": "urn:pulumi:dev::p::a$pulumi-python:dynamic/runpod:Endpoint::splat-gpu-endpoint", "id": "ep1"}
        | {"type": "pulumi-python:dynamic/runpod:Endpoint", "inputs": {"disk": 30, "env": secret({"A": "b"})}},
        {"urn": "urn:pulumi:dev::p::a$pulumi-python:dynamic/runpod:Endpoint::splat-gpu-endpoint", "id": "ep0"}
        | {"type": "pulumi-python:dynamic/runpod:Endpoint", "delete": True},
    ]
    return {"version": 3, "deployment": {"resources": resources}}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose engine prints config.json and state.json."""
    (tmp_path / ".tools").mkdir()
    (tmp_path / ".tools/engine.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (tmp_path / "pulumi").write_text(
        f'#!/bin/sh\ncase "$*" in "config "*) cat {tmp_path}/config.json ;; *) cat {tmp_path}/state.json ;; esac\n'
    )
    (tmp_path / "pulumi").chmod(0o755)
    config = {
        "photo-splat:cloudflareAccountId": "0" * 32,
        "photo-splat:workersSubdomain": "team",
        "photo-splat:imageRepository": "ghcr.io/team/splat-worker",
        "runpod:apiKey": KEY,
    }
    (tmp_path / "config.json").write_text(json.dumps({key: {"value": value} for key, value in config.items()}))
    outputs = {"appUrl": "https://splat.example.org", "endpointId": "ep1", "operatorToken": secret(TOKEN)}
    (tmp_path / "state.json").write_text(json.dumps(state(**outputs)))
    return tmp_path


def opened(checkout: Path, **environment: str) -> StackAccess:
    return read_stack(Engine(root=checkout, stack="dev", environment=environment))


def test_outputs_config_and_resources_are_read_in_plain_text(checkout: Path) -> None:
    access = opened(checkout)
    assert (access.app_url, access.endpoint_id) == ("https://splat.example.org", "ep1")
    assert access.outputs["operatorToken"] == TOKEN
    assert access.secret("runpod:apiKey") == KEY
    assert access.settings.gpu.names == ("RTX 4090",)


def test_a_resource_that_waits_for_its_deletion_is_not_the_endpoint(checkout: Path) -> None:
    [endpoint] = opened(checkout).recorded("runpod:Endpoint")
    assert (endpoint.name, endpoint.id) == ("splat-gpu-endpoint", "ep1")
    assert endpoint.inputs == {"disk": 30, "env": {"A": "b"}}


def test_no_secret_is_in_a_repr(checkout: Path) -> None:
    access = opened(checkout)
    shown = repr([access, *access.resources, access.runpod(), access.edge])
    assert KEY not in shown
    assert TOKEN not in shown


def test_a_missing_key_names_the_command_that_sets_it_and_its_variable(checkout: Path) -> None:
    with pytest.raises(CommandError, match="cloudflare:apiToken of stack dev is not set") as refused:
        opened(checkout, CLOUDFLARE_API_TOKEN="").cloudflare()
    assert "--secret cloudflare:apiToken" in refused.value.hint
    assert "CLOUDFLARE_API_TOKEN" in refused.value.hint
    assert repr(opened(checkout, CLOUDFLARE_API_TOKEN="cf").cloudflare()).startswith("CloudflareApi(")


def test_a_stack_without_outputs_is_not_deployed(checkout: Path) -> None:
    (checkout / "state.json").write_text(json.dumps({"version": 3, "deployment": None}))
    with pytest.raises(CommandError, match="Stack dev is not deployed") as refused:
        opened(checkout)
    assert refused.value.hint == "splat up --stack dev"
    assert read_export({"version": 3, "deployment": {}}) == ()


def test_an_invalid_configuration_names_the_key(checkout: Path) -> None:
    (checkout / "config.json").write_text(json.dumps({"photo-splat:gpuCount": {"value": "9"}}))
    with pytest.raises(CommandError, match="photo-splat:gpuCount is 9"):
        _ = opened(checkout).settings
