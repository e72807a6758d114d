"""The workflows' commands on the real engine: review stacks, plans, drift, deployment and rollback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.gitops import deploy, plan, review
from scripts.gitops.__main__ import DRIFTED, main
from scripts.gitops.engine import Engine
from scripts.splat_cli.state_file import repair
from tests.stack.conftest import ROOT, STACK, LocalCloud, Project
from tests.stack.support.killing import kill_all

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def engine(project: Project, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine in the project's folder; `main` finds the same environment in the process's own."""
    for key, value in project.environment.items():
        monkeypatch.setenv(key, value)
    return Engine(folder=project.folder, environment=project.environment)


def local_keys(project: Project) -> dict[str, str]:
    """Where this local cloud listens: the keys that a review stack gets from outside its template. Its address differs
    from the deployed stack's, which the local cloud keeps for that stack."""
    config = yaml.safe_load((project.folder / f"Pulumi.{STACK}.yaml").read_text())["config"]
    wanted = ("appUrl", "s3Endpoint", "apiUrl", "jobUrl", "baseUrl", "cloudflareAccountId", "image")
    found = {key: str(value) for key, value in config.items() if key.partition(":")[2] in wanted}
    return {**found, "photo-splat:appUrl": review_address(found["photo-splat:appUrl"])}


def review_address(app_url: str) -> str:
    return app_url.replace("127.0.0.1", "localhost")


def test_the_stack_of_a_pull_request_is_deployed_and_destroyed_without_orphans(
    engine: Engine, project: Project, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / review.TEMPLATE, project.folder)
    endpoints_before = {endpoint["name"] for endpoint in cloud.endpoints()}

    settings = [word for key, value in local_keys(project).items() for word in ("--set", f"{key}={value}")]
    assert main(["review-open", "7", *settings], folder=engine.folder) == 0

    assert capsys.readouterr().out == f"{review_address(cloud.app_url)}\n"  # the text of the comment
    [made] = [endpoint for endpoint in cloud.endpoints() if endpoint["name"] == "photo-splat-pr-7"]
    assert made["workers"] == {"min": 0, "max": 1, "idleTimeout": 5}

    # The job that closes runs in a fresh checkout, without the stack's file.
    (project.folder / "Pulumi.pr-7.yaml").unlink()
    assert review.sweep(engine, ["7"]).destroyed == ()
    capsys.readouterr()
    assert main(["review-sweep", "--open", ""], folder=engine.folder) == 0
    assert json.loads(capsys.readouterr().out) == {"destroyed": ["pr-7"], "failed": {}}
    assert main(["review-close", "7"], folder=engine.folder) == 0
    assert capsys.readouterr().out == "no such stack\n"

    assert {endpoint["name"] for endpoint in cloud.endpoints()} == endpoints_before
    assert ("R2Bucket", "photo-splat-pr-7") not in cloud.resources()
    assert engine.stacks() == (STACK,)


def test_a_stack_whose_first_deployment_was_interrupted_is_swept(
    engine: Engine, project: Project, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine has no configuration of a stack before its first run ends, although the run created resources."""
    template = yaml.safe_load((ROOT / review.TEMPLATE).read_text())
    # The real services need no address in the configuration; the stand-ins do.
    template["config"] |= local_keys(project)
    (project.folder / review.TEMPLATE).write_text(yaml.safe_dump(template))
    killed = shutil.copy(project.folder / review.TEMPLATE, project.folder / "Pulumi.pr-8.yaml")
    engine.run("stack", "init", "pr-8", "--no-select")
    up = subprocess.Popen(
        ["pulumi", "up", "--stack", "pr-8", "--yes", "--skip-preview", "--non-interactive"],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not any(one["name"] == "photo-splat-pr-8" for one in cloud.endpoints()):
        assert up.poll() is None
        time.sleep(0.1)
    kill_all(up)
    repair(project.folder / "state")  # only a file backend can be interrupted in a write
    engine.run("cancel", "pr-8", "--yes")
    Path(killed).unlink()
    capsys.readouterr()

    assert main(["review-sweep", "--open", ""], folder=engine.folder) == 0

    assert json.loads(capsys.readouterr().out) == {"destroyed": ["pr-8"], "failed": {}}
    assert not any(one["name"] == "photo-splat-pr-8" for one in cloud.endpoints())
    assert ("R2Bucket", "photo-splat-pr-8") not in cloud.resources()


def test_a_preview_shows_the_change_with_the_image_before_and_after(
    engine: Engine, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = project.outputs()["imageReference"].value
    built = "ghcr.io/team/splat-worker@sha256:" + "c" * 64
    project.set(idleTimeoutS="61")
    committed = (project.folder / f"Pulumi.{STACK}.yaml").read_text()

    assert main(["preview", "--stack", STACK, "--image", built], folder=engine.folder) == 0

    printed = capsys.readouterr().out
    assert printed.startswith(plan.COMMENT_MARK)
    assert "| update | `splat-gpu-endpoint` | `Endpoint` |" in printed
    assert f"```diff\n- {runs}\n+ {built}\n```" in printed
    assert (project.folder / f"Pulumi.{STACK}.yaml").read_text() == committed
    project.set(idleTimeoutS="60")


def test_a_preview_and_a_deployment_see_an_endpoint_that_was_lowered_to_no_worker(
    engine: Engine, project: Project, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """RunPod does this after 7 days without a request."""
    runs = str(project.outputs()["imageReference"].value)
    [endpoint] = cloud.endpoints()
    lowered = {"workers": {**endpoint["workers"], "min": 0, "max": 0}}
    cloud.runpod("PATCH", f"/v2/serverless/{endpoint['id']}", json=lowered).raise_for_status()

    assert main(["preview", "--stack", STACK, "--image", runs], folder=engine.folder) == 0

    printed = capsys.readouterr().out
    assert f"{plan.OUTSIDE}\n\n1 to update." in printed
    assert "| update | `splat-gpu-endpoint` | `Endpoint` |" in printed.partition(plan.OUTSIDE)[2]
    assert deploy.deploy(engine, STACK, runs).outcome is deploy.Outcome.DEPLOYED
    assert cloud.endpoints()[0]["workers"] == endpoint["workers"]
    project.set(image="checkout")
    project.up()


def test_a_preview_shows_why_a_change_is_rejected(
    engine: Engine, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed preview returns its problem, and the comment is what people read."""
    project.set(gpu="T4")

    assert main(["preview", "--stack", STACK, "--image", ""], folder=engine.folder) == 1

    printed = capsys.readouterr().out
    assert printed.startswith(plan.COMMENT_MARK)
    assert 'RunPod serverless does not offer "T4"' in printed
    project.set(gpu="RTX 4090", gpuCount="9")

    assert main(["preview", "--stack", STACK, "--image", ""], folder=engine.folder) == 1

    # The program's own message, and nothing after it.
    shown = capsys.readouterr().out.partition("```text\n")[2].partition("\n```")[0]
    assert shown.startswith("photo-splat:gpuCount is 9: Input should be less than or equal to 8")
    assert len(shown.splitlines()) == 1, shown
    project.set(gpuCount="1")


def test_drift_is_named_and_a_deployed_image_is_not_drift(
    engine: Engine, project: Project, cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    # As in the checkout of a workflow: the committed image is not the deployed one.
    project.set(image="build", imageRepository="ghcr.io/team/splat-worker")
    assert main(["drift", "--stack", STACK], folder=engine.folder) == 0
    assert "No changes." in capsys.readouterr().out
    [endpoint] = cloud.endpoints()
    cloud.runpod("PATCH", f"/v2/serverless/{endpoint['id']}", json={"timeout": 60_000}).raise_for_status()

    assert main(["drift", "--stack", STACK], folder=engine.folder) == DRIFTED

    assert "`splat-gpu-endpoint`" in capsys.readouterr().out
    runs = str(project.outputs()["imageReference"].value)
    assert deploy.deploy(engine, STACK, runs).outcome is deploy.Outcome.DEPLOYED
    assert cloud.endpoints()[0]["timeout"] == endpoint["timeout"], "the deployment did not see the drift"
    project.set(image="checkout")
    project.up()


def test_an_image_that_fails_is_rolled_back_to_the_last_good_one(
    engine: Engine, project: Project, cloud: LocalCloud
) -> None:
    good = project.outputs()["imageReference"].value
    bad = "ghcr.io/team/splat-worker@sha256:" + "b" * 64

    def check(url: str, stack: str) -> None:
        deploy.smoke(url, stack)
        if cloud.endpoints()[0]["image"] == bad:
            raise deploy.NotHealthy("its first job failed")

    ended: Any = deploy.deploy(engine, STACK, bad, check=check)

    assert ended.outcome is deploy.Outcome.ROLLED_BACK
    assert cloud.endpoints()[0]["image"] == ended.image
    # The checkout's image is named by its content; by digest it is the same reference.
    assert ended.image == good
    project.set(image="checkout")
    project.preview(expect_no_changes=True)
