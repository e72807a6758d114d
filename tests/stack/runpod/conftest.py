"""RunPod's resources alone, on the real engine and the RunPod stand-in: a small project whose program is data.
Starts the stand-in's process and the engine's; stops them by their own handles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi.automation as auto
import pytest

from scripts.splat_cli.state_file import repair
from tests.contract.runpod.conftest import KEY, StandIn, running

ROOT = Path(__file__).resolve().parents[3]
STACK = "test"
# Kind -> (path, key of its list).
PATHS = {
    "Endpoint": ("/v2/serverless", "endpoints"),
    "RegistryCredential": ("/v2/registries", "registries"),
}
Declared = dict[str, dict[str, dict[str, Any]]]


@dataclass(kw_only=True)
class Objects:
    """The project: `declare` rewrites what its program (program/__main__.py) makes."""

    folder: Path
    stack: auto.Stack
    environment: dict[str, str]
    standin: StandIn

    def declare(self, declared: Declared) -> None:
        (self.folder / "declared.json").write_text(json.dumps(declared))

    def planned(self) -> list[Any]:
        """The events of a preview."""
        events: list[Any] = []
        self.stack.preview(on_event=events.append, suppress_progress=True, color="never")
        return events

    def up(self) -> list[Any]:
        events: list[Any] = []
        self.stack.up(on_event=events.append, suppress_progress=True, color="never")
        return events

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """`pulumi <command>` as a process of its own, to be killed."""
        return subprocess.Popen(
            ["pulumi", command, "--stack", STACK, "--yes", "--skip-preview", "--non-interactive"],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def unlock(self) -> None:
        """What `splat up` does first after an engine was killed: repair a damaged state, release the lock."""
        repair(self.folder / "state")
        self.stack.cancel()

    def ids(self) -> dict[str, str]:
        """Id by resource name, as the state has it."""
        resources = (self.stack.export_stack().deployment or {}).get("resources", [])
        return {one["urn"].rpartition("::")[2]: one["id"] for one in resources if "dynamic" in one["type"]}

    def seen(self) -> dict[str, dict[str, Any]]:
        """What the account holds, by id."""
        return {one["id"]: one for path, key in PATHS.values() for one in self.standin.http.get(path).json()[key]}


@pytest.fixture(scope="session")
def shared_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running(tmp_path_factory.mktemp("standin")) as started:
        yield started


@pytest.fixture(scope="module")
def objects(shared_standin: StandIn, engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """An empty stack on an empty account; both are empty again afterwards."""
    shared_standin.settings(rate_limit_minute=None, worker_quota=200)
    folder = tmp_path_factory.mktemp("objects")
    (folder / "state").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(Path(__file__).parent / "program" / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    environment = {
        "PATH": engine_path,
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase of the tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "RUNPOD_API_KEY": KEY,
        "PYTHONWARNINGS": "ignore",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", engine_path)
        stack = auto.create_stack(STACK, work_dir=str(folder), opts=auto.LocalWorkspaceOptions(env_vars=environment))
        stack.set_config("runpod:apiUrl", auto.ConfigValue(f"{shared_standin.url}/v2"))
        made = Objects(folder=folder, stack=stack, environment=environment, standin=shared_standin)
        try:
            yield made
        finally:
            stack.destroy(suppress_progress=True)
        assert made.seen() == {}
        assert shared_standin.http.post("/_control/reset").status_code == 204
