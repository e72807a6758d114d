"""Exported states of stacks from our releases, and how to restore one on new stand-ins.
`python -m tests.stack.older_release 0.2.0` records one more (docs/environments.md, older releases).

A state is stored as the engine exports it, with secrets encrypted under the tests' own passphrase. Its stack was on a
local cloud that no longer exists. It never held a key of a real account."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pulumi.automation as auto
import pytest
import yaml

from infra.runpod import model
from tests.stack.conftest import ROOT, STACK, LocalCloud, Project, make_project, running_cloud

FIXTURES = Path(__file__).parent / "fixtures"
ENDPOINT = "pulumi-python:dynamic/runpod:Endpoint"
TOKEN = "AccountToken"
# Where a resource was declared, by absolute path: useless on another machine.
PLACES = ("sourcePosition", "sourcePositions", "stackTrace")


def record(release: str, project: Project, cloud: LocalCloud) -> Path:
    """Write the state of a deployed stack to fixtures/<release>.json."""
    exported = json.loads(_pulumi(project, "stack", "export"))
    for resource in exported["deployment"]["resources"]:
        for key in PLACES:
            resource.pop(key, None)
    document = {
        "release": release,
        "addresses": vars(cloud),
        "config": yaml.safe_load((project.folder / f"Pulumi.{STACK}.yaml").read_text())["config"],
        **exported,
    }
    file = FIXTURES / f"{release}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return file


def restore(file: Path, project: Project, cloud: LocalCloud) -> dict[str, str]:
    """Create on `cloud` what the state names, and import the state into `project`. Returns ids by logical name.

    Stand-ins choose new ids and ports, so those of the state are exchanged in plain text, then encrypted again."""
    document = json.loads(file.read_text())
    stack = project.stack
    stack.import_stack(auto.Deployment(version=document["version"], deployment=document["deployment"]))
    clear = stack.export_stack().deployment
    text, config = json.dumps(clear), json.dumps(document["config"])
    for name, old in document["addresses"].items():
        text, config = text.replace(old, getattr(cloud, name)), config.replace(old, getattr(cloud, name))
    ids: dict[str, str] = {}
    for resource in json.loads(text)["resources"]:
        exchanged = _make(resource, project, cloud)
        for old, new in exchanged.items():
            text = text.replace(old, new)
        if exchanged:
            ids[resource["urn"].rpartition("::")[2]] = exchanged.get(resource["id"], resource["id"])
    stack.set_all_config({key: auto.ConfigValue(str(value)) for key, value in json.loads(config).items()})
    stack.import_stack(auto.Deployment(version=document["version"], deployment=json.loads(text)))
    return ids


def _make(resource: dict[str, Any], project: Project, cloud: LocalCloud) -> dict[str, str]:
    """Create one resource of the state on its stand-in. Returns old to new of what the stand-in chose itself, {} for a
    resource without a counterpart there."""
    kind = resource["type"]
    if kind == ENDPOINT:
        body = model.canonical(_plain(resource["inputs"]))
        made = cloud.runpod("POST", "/v2/serverless", json=body).raise_for_status().json()
        return {resource["id"]: made["id"]}
    if not kind.startswith("cloudflare:index/"):
        return {}
    name = kind.rpartition(":")[2]
    props = _plain(resource["inputs"])
    if "contentFile" in props:
        props["contentFile"] = str(project.folder / props["contentFile"])
        props["assets"]["directory"] = str(project.folder / props["assets"]["directory"])
    given = "new" if name == TOKEN else resource["id"]
    made = (
        cloud.cloudflare("PUT", f"/resources/{name}/{given}", json={"props": props}).raise_for_status().json()["props"]
    )
    if name != TOKEN:
        return {resource["id"]: resource["id"]}
    old, new = _plain(resource["outputs"])["value"], made["value"]
    return {resource["id"]: made["id"], old: new, _sha256(old): _sha256(new)}


def _plain(value: Any) -> Any:
    """Values of an export in plain text: a secret is an object that holds its text as JSON."""
    if isinstance(value, dict):
        if "plaintext" in value:
            return _plain(json.loads(value["plaintext"]))
        return {key: _plain(inner) for key, inner in value.items() if not key.startswith("__")}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _pulumi(project: Project, *arguments: str) -> str:
    return subprocess.run(
        ["pulumi", *arguments, "--stack", STACK, "--non-interactive"],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def new_release(text: str) -> str:
    """A version without a state yet. The state of a release never changes."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a release: use three numbers, as in 0.2.0")
    if (FIXTURES / f"{text}.json").exists():
        raise argparse.ArgumentTypeError(f"the state of {text} exists already and never changes")
    return text


def main() -> None:
    """Deploy the program of this checkout on a local cloud, and store its state under the release's name."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack.older_release", description=main.__doc__)
    parser.add_argument("release", type=new_release, help="the release that this checkout is, such as 0.2.0")
    release = parser.parse_args().release
    tools = json.loads((ROOT / ".tools" / "engine.json").read_text())["folder"]
    path = os.pathsep.join(
        [tools, str(ROOT / ".venv/bin"), str(ROOT / "local_cloud/cloudflare/bin"), os.environ["PATH"]]
    )
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as process:
        process.setenv("PATH", path)
        folder = Path(place)
        (folder / "cloud").mkdir()
        with running_cloud(folder / "cloud") as cloud:
            project = make_project(folder / "project", cloud, path)
            project.up()
            try:
                print(record(release, project, cloud))
            finally:
                project.destroy()


if __name__ == "__main__":
    main()
