"""`pulumi up` with `image: build`: the real engine, BuildKit behind a double of the docker-build provider, a real
registry, and the stand-ins. The image is tiny; test_worker_image builds the real one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.image.registry import inspect
from tests.stack.conftest import ROOT, Project, make_project, running_cloud

from .engine import BASE, Engine

DOCKERFILE = f"""FROM {BASE}
COPY worker.py /worker.py
LABEL splat.cuda="13.0" splat.architectures="80 86 89 90 120"
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("calls") / "calls"
    file.touch()
    return file


@pytest.fixture(scope="module")
def project(engine: Engine, calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    tools = json.loads((ROOT / ".tools" / "engine.json").read_text())["folder"]
    doubles = [ROOT / "local_cloud" / "cloudflare" / "bin", Path(__file__).parent / "bin"]
    path = os.pathsep.join([tools, str(ROOT / ".venv" / "bin"), *map(str, doubles), os.environ["PATH"]])
    cloud_folder = tmp_path_factory.mktemp("cloud")
    with running_cloud(cloud_folder) as cloud, pytest.MonkeyPatch.context() as process:
        sleeper = {"command": [sys.executable, "-c", "import time; time.sleep(3600)"]}
        (cloud_folder / "images.json").write_text(json.dumps({f"{engine.registry}/splat-worker": sleeper}))
        process.setenv("PATH", path)
        more = {
            "SPLAT_TEST_BUILD_CALLS": str(calls),
            "SPLAT_TEST_DOCKER": engine.client,
            "DOCKER_HOST": engine.environment["DOCKER_HOST"],
            "DOCKER_CONFIG": f"{engine.folder}/client",
            "DOCKER_BUILDKIT": "1",
        }
        made = make_project(folder, cloud, path, more=more)
        (folder / "worker_image" / "Dockerfile").write_text(DOCKERFILE)
        (folder / "worker_image" / "worker.py").write_text("first\n")
        made.set(image="build", imageRepository=f"{engine.registry}/splat-worker")
        made.up()
        yield made
        made.destroy()
        cloud.assert_empty()


def reference(project: Project) -> str:
    return str(project.outputs()["imageReference"].value)


def test_the_endpoint_gets_the_pushed_digest(project: Project, engine: Engine, calls: Path) -> None:
    repository, _, digest = reference(project).partition("@")
    assert repository == f"{engine.registry}/splat-worker"
    found = inspect(reference(project))
    assert (found.digest, found.labels["splat.cuda"]) == (digest, "13.0")
    assert calls.read_text().count("build ") == 1


def test_another_umask_and_another_checkout_build_nothing(project: Project, calls: Path) -> None:
    """Modes and times of files differ between machines, but the image must not."""
    before = reference(project)
    folder = project.folder / "worker_image"
    copy = shutil.copytree(folder, project.folder / "copy")  # new times
    shutil.rmtree(folder)
    copy.rename(folder)
    for file in folder.iterdir():
        file.chmod(0o600)
    project.up(expect_no_changes=True)
    assert reference(project) == before
    assert calls.read_text().count("build ") == 1


def test_a_preview_builds_nothing_and_an_up_builds_the_new_content(project: Project, calls: Path) -> None:
    before = reference(project)
    (project.folder / "worker_image" / "worker.py").write_text("second\n")
    assert project.preview().change_summary["update"] >= 1
    assert calls.read_text().count("build ") == 1

    project.up()

    assert calls.read_text().count("build ") == 2
    assert reference(project) != before
    assert inspect(reference(project)).digest == reference(project).partition("@")[2]


def test_a_failed_build_leaves_the_endpoint_unchanged(project: Project) -> None:
    before = reference(project)
    (project.folder / "worker_image" / "Dockerfile").write_text(f"{DOCKERFILE}RUN echo no compiler here && false\n")
    with pytest.raises(Exception, match="no compiler here"):
        project.up()
    assert reference(project) == before
    (project.folder / "worker_image" / "Dockerfile").write_text(DOCKERFILE)
    project.up()
