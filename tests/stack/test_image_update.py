"""A new worker image under load on the real engine: checked before it serves, rolled out and back without loss.
The image is a folder of small programs that speak the worker protocol; half-updated would show, since each job
imports a second file of its release only when it runs.
"""

from __future__ import annotations

import json
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi.automation as auto
import pytest

from tests.stack.conftest import ROOT, LocalCloud, Project, make_project, running_cloud

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]

JOBS = 20
DOCKERFILE = 'FROM scratch\nLABEL splat.cuda="13.0" splat.architectures="80 86 89 90 120"\n'
WORKER = textwrap.dedent(
    """
    import importlib, json, os, sys, time, urllib.request

    RELEASE = "{release}"
    headers = {{"Authorization": os.environ["RUNPOD_AI_API_KEY"], "Content-Type": "application/json"}}

    def call(url, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=120) as answer:
            return answer.status, answer.read()

    def serve(job):
        time.sleep(job["input"].get("seconds", 0))
        if "selftest" in job["input"]:
            return {selftest}
        part = importlib.import_module("part")
        return {{"output": {{"handler": RELEASE, "part": part.RELEASE, "worker": os.environ["RUNPOD_POD_ID"]}}}}

    pod = os.environ["RUNPOD_POD_ID"]
    while True:
        status, body = call(os.environ["RUNPOD_WEBHOOK_GET_JOB"].replace("$ID", pod))
        if status == 200:
            job = json.loads(body)
            url = os.environ["RUNPOD_WEBHOOK_POST_OUTPUT"].replace("$RUNPOD_POD_ID", pod).replace("$ID", job["id"])
            call(url, serve(job))
    """
)
WHOLE = '{"output": {"ok": True, "checks": []}}'


def write_worker(folder: Path, release: str, *, selftest: str = WHOLE, before: str = "") -> None:
    """The image's sources as a developer saves them: two files, one after the other."""
    (folder / "worker_image" / "Dockerfile").write_text(DOCKERFILE)
    (folder / "worker_image" / "worker.py").write_text(before + WORKER.format(release=release, selftest=selftest))
    (folder / "worker_image" / "part.py").write_text(f'RELEASE = "{release}"\n')


@pytest.fixture(scope="module")
def project_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def cloud(project_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with running_cloud(folder) as started:
        image = {
            "command": [sys.executable, "-S", "{image}/worker.py"],
            "env": {"PYTHONDONTWRITEBYTECODE": "1"},
            "sources": {
                "folder": str(project_folder / "worker_image"),
                "hash_command": [sys.executable, "-S", str(ROOT / "common" / "content_hash.py")],
            },
        }
        (folder / "images.json").write_text(json.dumps({"checkout.local/splat-worker": image}))
        yield started


@pytest.fixture(scope="module")
def project(cloud: LocalCloud, engine_path: str, project_folder: Path) -> Iterator[Project]:
    with pytest.MonkeyPatch.context() as process:
        process.setenv("PATH", engine_path)
        made = make_project(project_folder, cloud, engine_path)
        write_worker(project_folder, "first")
        made.set(imageCheck="true", workersMax="3", queueDelayS="0.5", idleTimeoutS="60")
        try:
            made.up()
            yield made
        finally:
            made.destroy()
        cloud.assert_empty()


@pytest.fixture(scope="module")
def first_image(project: Project) -> str:
    return str(project.outputs()["imageReference"].value)


def endpoint_of(cloud: LocalCloud) -> dict[str, Any]:
    """The stack's one endpoint; an image check must have left no other."""
    [endpoint] = cloud.endpoints()
    return endpoint


def start(cloud: LocalCloud, endpoint_id: str, count: int, seconds: float = 0) -> list[str]:
    body = {"input": {"seconds": seconds}}
    return [cloud.runpod("POST", f"/v2/{endpoint_id}/run", json=body).json()["id"] for _ in range(count)]


def finished(cloud: LocalCloud, endpoint_id: str, jobs: list[str], limit_s: float = 120) -> list[dict[str, Any]]:
    """Every job in its final state."""
    until, ended = time.monotonic() + limit_s, {}
    while len(ended) < len(jobs):
        for job in jobs:
            if job not in ended:
                now = cloud.runpod("GET", f"/v2/{endpoint_id}/status/{job}").json()
                if now["status"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"):
                    ended[job] = now
        assert time.monotonic() < until, f"{len(ended)} of {len(jobs)} jobs ended within {limit_s} s"
        time.sleep(0.1)
    return [ended[job] for job in jobs]


def serves(cloud: LocalCloud) -> str:
    """The release that runs a job now."""
    endpoint_id = endpoint_of(cloud)["id"]
    [job] = finished(cloud, endpoint_id, start(cloud, endpoint_id, 1))
    return str(job["output"]["handler"])


def test_twenty_jobs_run_through_a_change_of_the_worker(project: Project, cloud: LocalCloud, first_image: str) -> None:
    endpoint_id = endpoint_of(cloud)["id"]
    jobs = start(cloud, endpoint_id, 10, 1.5)
    write_worker(project.folder, "second")

    def more() -> None:
        for _ in range(7):
            time.sleep(1)
            jobs.extend(start(cloud, endpoint_id, 1, 1.5))

    during = threading.Thread(target=more)
    during.start()
    project.up()
    jobs += start(cloud, endpoint_id, JOBS - 17, 0.5)
    during.join()

    ended = finished(cloud, endpoint_id, jobs)
    assert [job["status"] for job in ended] == ["COMPLETED"] * JOBS
    assert {(job["output"]["handler"], job["output"]["part"]) for job in ended} == {
        ("first", "first"),
        ("second", "second"),
    }
    by_worker: dict[str, set[str]] = {}
    for job in ended:
        by_worker.setdefault(job["output"]["worker"], set()).add(job["output"]["handler"])
    assert all(len(releases) == 1 for releases in by_worker.values())
    assert serves(cloud) == "second"
    rollout = cloud.runpod("GET", f"/v2/serverless/{endpoint_id}/releases").json()["rollout"]
    assert rollout["workersTotal"] > 0
    assert (rollout["workersOnLatest"], rollout["percentOnLatest"]) == (rollout["workersTotal"], 100)
    assert not rollout["inProgress"]
    after = endpoint_of(cloud)
    assert after["id"] == endpoint_id
    assert after["image"] == project.outputs()["imageReference"].value != first_image


FAILED_SELF_TEST = '{"error": json.dumps({"code": "INTERNAL", "message": "The self-test failed. kernels: none"})}'


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"before": "raise ImportError('no module named trainer')\n"}, "ImportError: no module named trainer"),
        ({"selftest": FAILED_SELF_TEST}, "The self-test failed. kernels: none"),
    ],
    ids=["a handler that crashes at start", "a self-test that fails"],
)
def test_a_broken_image_never_reaches_the_endpoint(
    project: Project, cloud: LocalCloud, change: dict[str, str], says: str
) -> None:
    before = endpoint_of(cloud)["image"]
    write_worker(project.folder, "broken", **change)

    with pytest.raises(auto.CommandError) as failure:
        project.up()

    text = str(failure.value)
    assert says in text
    assert f"the endpoint still runs {before}" in text
    assert "Traceback" not in text
    assert endpoint_of(cloud)["image"] == before
    assert serves(cloud) == "second"


def test_a_card_that_the_image_has_no_kernels_for_fails_at_preview(project: Project, cloud: LocalCloud) -> None:
    write_worker(project.folder, "third")
    project.set(gpu="B200")

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert "gpu names B200 (compute capability 10.0), but the image has kernels for 8.0, 8.6, 8.9, 9.0, 12.0" in str(
        failure.value
    )
    assert serves(cloud) == "second"
    project.set(gpu="RTX 4090")


def test_rolling_back_is_naming_the_digest_that_served(project: Project, cloud: LocalCloud, first_image: str) -> None:
    project.set(image=first_image)

    project.up()

    assert endpoint_of(cloud)["image"] == first_image
    assert serves(cloud) == "first"
    assert endpoint_of(cloud)["gpu"]["minCudaVersion"] == "13.0"
