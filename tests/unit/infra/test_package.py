"""The schema of the package, and the two examples against it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from infra.package import NAMESPACE, PackageProvider, as_texts
from infra.settings.load import read_settings
from infra.settings.model import all_settings

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads(PackageProvider().schema or "")["resources"]["photo-splat:index:SplatService"]
REQUIRED = {
    "photo-splat:cloudflareAccountId": "0" * 32,
    "photo-splat:appUrl": "https://splat.example.org",
    "photo-splat:image": "checkout",
}


def test_every_setting_is_an_argument_with_its_sentence() -> None:
    settings = {one.key.removeprefix(f"{NAMESPACE}:"): one for one in all_settings() if one.key.startswith(NAMESPACE)}
    assert SCHEMA["inputProperties"].keys() == settings.keys()
    assert not SCHEMA.get("requiredInputs")
    for key, given in SCHEMA["inputProperties"].items():
        assert given["description"] == settings[key].info.description
        assert given["plain"], f"{key} has to be known when the service is declared"


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("workersMax", {"type": "integer"}),
        ("gpuCount", {"type": "integer"}),
        ("protect", {"type": "boolean"}),
        ("bucketName", {"type": "string"}),
        ("gpu", {"type": "array", "items": {"type": "string", "plain": True}}),
    ],
)
def test_an_argument_has_the_type_of_its_setting(key: str, kind: dict[str, object]) -> None:
    found = SCHEMA["inputProperties"][key]
    assert {name: found.get(name) for name in kind} == kind


def test_arguments_are_read_by_the_reader_of_the_configuration() -> None:
    given = {"gpu": ["L40S", "RTX 4090"], "workersMax": 3.0, "flashboot": "OFF", "protect": True, "domain": None}
    texts = {f"{NAMESPACE}:{key}": text for key, text in as_texts(given).items()}
    settings = read_settings({**REQUIRED, **texts})
    assert (settings.gpu.names, settings.scaling.workers[1], settings.protect) == (("L40S", "RTX 4090"), 3, True)


def test_the_examples_fit_the_schema() -> None:
    inputs, outputs = SCHEMA["inputProperties"].keys(), SCHEMA["properties"].keys()
    program = yaml.safe_load((ROOT / "examples/yaml/Pulumi.yaml").read_text())
    [component] = program["resources"].values()
    assert component["type"] == "photo-splat:SplatService"
    assert component["properties"].keys() <= inputs
    assert set(re.findall(r"\$\{museum\.(\w+)\}", str(program["outputs"]))) <= outputs
    typed = (ROOT / "examples/typescript/splat_service.ts").read_text()
    assert set(re.findall(r"readonly (\w+):", typed)) <= outputs
    assert set(re.findall(r"^  (\w+)\?:", typed, re.MULTILINE)) <= inputs
    used = (ROOT / "examples/typescript/index.ts").read_text()
    assert set(re.findall(r"museum\.(\w+)", used)) <= outputs
    for folder in ("typescript", "yaml"):
        manifest = (ROOT / "examples" / folder / "Pulumi.yaml").read_text()
        assert "../../package" in manifest
