"""New machines for a session, made one after the other; they share what they download.
Runs only when asked (`scripts/test machines`), and skips loudly where no such machine can be made.

SPLAT_MACHINES_STATE=folder keeps systems and downloads between runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import install

from .machine import Machine, missing

ROOT = Path(__file__).parents[2]
ASKED_VARIABLE = "SPLAT_TEST_MACHINES"
# Debian's testing suite changes daily: it is here for its Python, and a failure to install it is no failure of ours.
TESTING = {"forky": "3.14"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.machines)
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of systems and downloads."""
    if not os.environ.get(ASKED_VARIABLE):
        pytest.skip("NEW MACHINES ARE NOT TESTED: they take minutes and 25 GB of disk. Run `scripts/test machines`")
    required = bool(os.environ.get("CI"))
    printed = install() if required else ""
    if reason := missing():
        words = f"NEW MACHINES ARE NOT TESTED: {reason}\n{printed}"
        pytest.fail(words, pytrace=False) if required else pytest.skip(words)
    kept = os.environ.get("SPLAT_MACHINES_STATE")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("machines")
    (folder / "downloads").mkdir(parents=True, exist_ok=True)
    yield folder
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["bookworm", "trixie", "forky"])
def machine(request: pytest.FixtureRequest, state: Path) -> Iterator[Machine]:
    """A started machine whose user has cloned this checkout's HEAD and installed nothing yet."""
    python = TESTING.get(request.param, "")
    made = Machine(suite=request.param, root=state / request.param, downloads=state / "downloads", python=python)
    try:
        made.make()
    except subprocess.CalledProcessError as error:
        if python:
            pytest.skip(f"PYTHON {python} IS NOT TESTED: Debian {request.param} cannot be installed today: {error}")
        raise
    made.start()
    try:
        made.clone(ROOT)
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.root, ignore_errors=True)
