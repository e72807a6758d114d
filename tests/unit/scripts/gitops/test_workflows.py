"""The workflow files: their rights, and the commands that they run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.gitops import plan
from scripts.gitops.__main__ import main

ROOT = Path(__file__).resolve().parents[4]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(path: Path) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    return loaded


def jobs(path: Path) -> list[dict[str, Any]]:
    return list(workflow(path)["jobs"].values())


workflows = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_zizmor_finds_nothing_in_its_strictest_mode() -> None:
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "zizmor", "--offline", "--persona=pedantic", "--format=plain", ".github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing_in_any_workflow() -> None:
    done = subprocess.run(
        # Without its two helpers, which a machine may have or not have: the same findings everywhere.
        [ROOT / ".tools" / "actionlint", "-no-color", "-shellcheck=", "-pyflakes=", *FILES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@workflows
def test_every_foreign_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    for line in re.findall(r"uses: (.+)", path.read_text()):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@workflows
def test_each_job_has_its_own_rights_and_runs_of_one_stack_never_overlap(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    assert workflow(path)["concurrency"]["group"]
    assert all("permissions" in job and "timeout-minutes" in job for job in jobs(path))


@workflows
def test_no_run_that_changes_a_stack_is_ever_cancelled(path: Path) -> None:
    changes = re.search(r"scripts\.gitops (deploy|review-open|review-close|review-sweep)", path.read_text())
    if changes:
        assert workflow(path)["concurrency"]["cancel-in-progress"] is False


@workflows
def test_no_foreign_text_reaches_a_shell(path: Path) -> None:
    for job in jobs(path):
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step


@workflows
def test_secrets_need_an_environment_and_never_reach_forks(path: Path) -> None:
    events = workflow(path)[True]  # YAML reads the key `on` as true
    for job in jobs(path):
        if "secrets." not in str(job):
            continue
        assert "environment" in job
        if "pull_request" in events:
            assert "head.repo.full_name == github.repository" in job["if"]
    assert "pull_request_target" not in events


@workflows
def test_every_program_and_command_that_a_workflow_runs_exists(path: Path) -> None:
    for program in re.findall(r"(?:scripts|\.ci)/[\w/-]+", path.read_text()):
        assert os.access(ROOT / program, os.X_OK), program
    for command in re.findall(r"-m scripts\.gitops (\S+)", path.read_text()):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0, command


def test_each_deployment_is_followed_by_a_smoke_test_of_the_same_stack() -> None:
    [job] = jobs(ROOT / ".github" / "workflows" / "deploy.yml")
    deploy, smoke = job["steps"][-2:]
    assert "scripts.gitops deploy" in deploy["run"]
    assert smoke["run"] == '.venv/bin/splat smoke --stack "$STACK"'
    assert smoke["env"] == deploy["env"]


def test_an_image_gets_its_final_tag_last_and_by_the_digest_that_was_scanned() -> None:
    steps = workflow(ROOT / ".github" / "workflows" / "image.yml")["jobs"]["build"]["steps"]
    named = [(step.get("run") or step["uses"], step.get("env", {}).get("IMAGE")) for step in steps]
    order = [index for index, (what, _) in enumerate(named) if "scripts.gitops" in what or "attest" in what]
    programs = [re.sub(r".*scripts\.gitops (\S+).*|.*/(attest\S*)@.*", r"\1\2", named[index][0]) for index in order]
    assert programs == [
        *("build-image", "install-scanners", "scan-and-sign-image", "attest-build-provenance", "tag-image")
    ]
    images = {image for _, image in named if image}
    assert len(images) == 1
    assert "steps.build.outputs.digest" in images.pop()
    # Each of them stops the job when it fails, and runs until the image has its final tag.
    for index in order[1:]:
        assert steps[index]["if"] == "steps.build.outputs.checked == 'false'"
        assert "continue-on-error" not in steps[index]


def test_the_two_workflows_that_comment_use_different_marks() -> None:
    review = (ROOT / ".github" / "workflows" / "review.yml").read_text()
    [mark] = re.findall(r'MARK: "(<!-- photo-splat [a-z ]+ -->)"', review)
    assert mark != plan.COMMENT_MARK


def test_dependabot_watches_every_folder_that_pins_something() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    watched = {
        (one["package-ecosystem"], place) for one in updates for place in one.get("directories", [one.get("directory")])
    }
    assert {("docker", "/worker_image"), ("github-actions", "/")} <= watched
    for kind, place in watched - {("github-actions", "/")}:
        name = {"docker": "Dockerfile", "pip": "*.in", "npm": "package-lock.json"}[kind]
        assert list((ROOT / place.lstrip("/")).glob(name)), (kind, place)
