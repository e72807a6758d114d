"""The worker image, built once per session by an engine of our own, pushed, and pulled by digest.
Runs only with `scripts/test image`. Skips with the reason if no engine can run.

SPLAT_DOCKER_STATE=folder keeps the engine's cache between runs.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .engine import Engine, install, missing

ROOT = Path(__file__).parents[2]
REPOSITORY = "splat-worker"
ASKED_VARIABLE = "SPLAT_TEST_IMAGE"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(4200))


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """reference: repository@sha256:digest in the local registry; revision: the commit it was built with."""

    engine: Engine
    reference: str
    revision: str


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if not os.environ.get(ASKED_VARIABLE):
        pytest.skip(
            "THE WORKER IMAGE IS NOT TESTED: its build takes minutes and 20 GB of disk. Run `scripts/test image`"
        )
    required = bool(os.environ.get("CI"))
    output = install() if required else ""
    if reason := missing():
        if required:
            pytest.fail(f"THE WORKER IMAGE IS NOT TESTED, and must be: {reason}\n{output}", pytrace=False)
        pytest.skip(f"THE WORKER IMAGE IS NOT TESTED: {reason}")
    state = os.environ.get("SPLAT_DOCKER_STATE")
    folder = Path(state) if state else tmp_path_factory.mktemp("docker")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = Engine(folder=folder, registry_port=port)
    try:
        engine.start()
        engine.make_base()
        yield engine
    finally:
        engine.close()
        if not state:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cpu_image(engine: Engine) -> BuiltImage:
    tag = f"{engine.registry}/{REPOSITORY}:cpu"
    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    engine.build(ROOT / "worker_image", tag=tag, target="cpu", arguments={"REVISION": revision, "SOURCE": "test"})
    reference = engine.push(tag)
    engine.docker("rmi", tag)
    engine.docker("pull", reference, limit_s=1800)
    return BuiltImage(engine=engine, reference=reference, revision=revision)
