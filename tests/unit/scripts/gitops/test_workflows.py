"""Claims of the workflows: what they may do, what they call, and the small shell programs they call.
`docker` and `gh` are recorders here; their answers are the only thing that is made up."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.gitops import plan

ROOT = Path(__file__).resolve().parents[4]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITOPS = ROOT / "scripts" / "gitops"


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


def test_actionlint_reads_every_workflow_and_finds_nothing() -> None:
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
def test_rights_are_given_per_job_and_runs_of_one_stack_never_overlap(path: Path) -> None:
    assert workflow(path)["permissions"] == {}
    assert workflow(path)["concurrency"]["group"]
    assert all("permissions" in job and "timeout-minutes" in job for job in jobs(path))


@workflows
def test_no_run_that_changes_a_stack_is_ever_cancelled(path: Path) -> None:
    changes = re.search(r"gitops/run (deploy|review-open|review-close|review-sweep)", path.read_text())
    if changes:
        assert workflow(path)["concurrency"]["cancel-in-progress"] is False


@workflows
def test_no_foreign_text_reaches_a_shell(path: Path) -> None:
    for job in jobs(path):
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), step


@workflows
def test_secrets_only_behind_an_environment_and_never_for_forks(path: Path) -> None:
    events = workflow(path)[True]  # YAML reads the key `on` as true
    for job in jobs(path):
        if "secrets." not in str(job):
            continue
        assert "environment" in job
        if "pull_request" in events:
            assert "head.repo.full_name == github.repository" in job["if"]
    assert "pull_request_target" not in events


@workflows
def test_what_a_workflow_calls_is_there_and_can_be_run(path: Path) -> None:
    for program in re.findall(r"(?:scripts|\.ci)/[\w/-]+", path.read_text()):
        assert os.access(ROOT / program, os.X_OK), program


# the shell programs -----------------------------------------------------------------------------

DOCKER = """#!/bin/sh
echo "docker $*" >> "$LOG"
case "$*" in
  login*) cat > /dev/null ;;
  *"imagetools create"*) touch "$PUSHED" ;;
  *imagetools*:unchecked-*) [ -e "$PUSHED-unchecked" ] && echo sha256:dddd || exit 1 ;;
  *imagetools*) [ -e "$PUSHED" ] && echo sha256:dddd || exit 1 ;;
  *"buildx build"*:unchecked-*) touch "$PUSHED-unchecked" ;;
  *"buildx build"*) touch "$PUSHED" ;;
esac
"""
GH = """#!/bin/sh
echo "gh $*" >> "$LOG"
case "$*" in "issue list"* | "api --paginate"*) cat "$ISSUES" ;; esac
"""


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """Runs a program of scripts/gitops with recorders of docker and gh first on PATH."""
    for name, text in (("docker", DOCKER), ("gh", GH)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "issues").write_text("")
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "PUSHED": str(tmp_path / "pushed"),
        "ISSUES": str(tmp_path / "issues"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "REGISTRY_USERNAME": "team",
        "REGISTRY_PASSWORD": "registry-password",
        "IMAGE_TRIES": "1",
    }

    def run(program: str, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [GITOPS / program, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        log = tmp_path / "log"
        return done.returncode, done.stdout, log.read_text() if log.exists() else ""

    return run


REPOSITORY = "ghcr.io/Team/splat-worker"
DIGEST = "sha256:dddd"


def test_an_image_is_built_once_for_its_content(shell: Any, tmp_path: Path) -> None:
    code, _, log = shell("image", REPOSITORY)
    assert code == 0
    assert re.search(r"buildx build .*--push --tag ghcr\.io/team/splat-worker:unchecked-[0-9a-f]{16} ", log)
    assert "--build-arg REVISION=" in log
    assert (tmp_path / "output").read_text() == f"digest={DIGEST}\nadmitted=false\n"

    assert shell("admit-image", f"{REPOSITORY}@{DIGEST}")[0] == 0
    (tmp_path / "log").unlink()
    _, _, log = shell("image", REPOSITORY)
    assert "buildx build" not in log
    assert (tmp_path / "output").read_text().endswith(f"digest={DIGEST}\nadmitted=true\n")


def test_an_image_whose_inspection_failed_is_not_deployed_and_is_inspected_again(shell: Any, tmp_path: Path) -> None:
    """Its build is not repeated, but no run that comes after takes it for a good one."""
    shell("image", REPOSITORY)
    assert shell("newest-image", REPOSITORY)[:2] == (1, "")
    (tmp_path / "log").unlink()
    _, _, log = shell("image", REPOSITORY)
    assert "buildx build" not in log
    assert (tmp_path / "output").read_text().endswith(f"digest={DIGEST}\nadmitted=false\n")


def test_an_inspected_image_is_named_without_a_change_of_its_digest(shell: Any) -> None:
    _, _, log = shell("admit-image", f"{REPOSITORY}@{DIGEST}")
    assert re.match(
        r"docker buildx imagetools create --prefer-index=false --tag ghcr\.io/team/splat-worker:[0-9a-f]{16} "
        rf"ghcr\.io/team/splat-worker@{DIGEST}\n",
        log,
    )
    assert shell("newest-image", REPOSITORY)[1] == f"ghcr.io/team/splat-worker@{DIGEST}\n"
    assert shell("admit-image", f"{REPOSITORY}:tag")[0] == 2
    assert shell("admit-image", f"{REPOSITORY}@sha256:another")[0] == 1  # the registry made another of it


def test_an_image_is_named_last_and_by_the_digest_that_was_inspected() -> None:
    steps = workflow(ROOT / ".github" / "workflows" / "image.yml")["jobs"]["build"]["steps"]
    named = [(step.get("run") or step["uses"], step.get("env", {}).get("IMAGE")) for step in steps]
    order = [index for index, (what, _) in enumerate(named) if "gitops/" in what or "attest" in what]
    programs = [re.sub(r".*gitops/(\S+).*|.*/(attest\S*)@.*", r"\1\2", named[index][0]) for index in order]
    assert programs == ["image", "inspect-image", "inspect-image", "attest-build-provenance", "admit-image"]
    images = {image for _, image in named if image}
    assert len(images) == 1
    assert "steps.build.outputs.digest" in images.pop()
    # Each of them stops the job when it fails, and runs until the image is admitted.
    for index in order[1:]:
        assert steps[index]["if"] == "steps.build.outputs.admitted == 'false'"
        assert "continue-on-error" not in steps[index]


def test_the_registrys_password_is_on_no_command_line(shell: Any) -> None:
    _, _, log = shell("image", "ghcr.io/team/splat-worker")
    assert "docker login ghcr.io --username team --password-stdin" in log
    assert "registry-password" not in log


def test_the_newest_image_is_named_by_digest(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "pushed").touch()
    assert shell("newest-image", "ghcr.io/Team/splat-worker", "")[1] == "ghcr.io/team/splat-worker@sha256:dddd\n"


def test_an_asked_image_is_taken_as_it_is(shell: Any) -> None:
    code, said, log = shell("newest-image", "ghcr.io/team/splat-worker", "repo@sha256:aa")
    assert (code, said, log) == (0, "repo@sha256:aa\n", "")


def test_an_image_that_never_comes_is_an_error(shell: Any) -> None:
    assert shell("newest-image", "ghcr.io/team/splat-worker")[0] == 1


@pytest.mark.parametrize(
    ("open_issue", "command"), [("", "gh issue create --title Drift"), ("12\n", "gh issue edit 12")]
)
def test_drift_is_told_in_one_issue(shell: Any, tmp_path: Path, open_issue: str, command: str) -> None:
    (tmp_path / "issues").write_text(open_issue)
    assert shell("tell", "Drift", "body.md")[0] == 0
    assert command in (tmp_path / "log").read_text()


MARKED = "<!-- photo-splat plan -->\nNothing changes.\n"


@pytest.mark.parametrize(
    ("older", "call"),
    [
        ("", "gh api --silent --method POST repos/{owner}/{repo}/issues/7/comments"),
        ("99\n101\n", "gh api --silent --method PATCH repos/{owner}/{repo}/issues/comments/99"),
    ],
)
def test_a_comment_is_put_over_the_older_one_of_its_mark(shell: Any, tmp_path: Path, older: str, call: str) -> None:
    (tmp_path / "issues").write_text(older)
    (tmp_path / "plan.md").write_text(MARKED)
    assert shell("comment", "7", str(tmp_path / "plan.md"))[0] == 0
    looked, put = (tmp_path / "log").read_text().splitlines()
    assert "startswith(env.MARK)" in looked
    assert put == f"{call} --field body=@{tmp_path / 'plan.md'}"


@pytest.mark.parametrize(("number", "text"), [("7; rm -rf .", MARKED), ("", MARKED), ("7", "no mark\n")])
def test_a_comment_goes_only_where_it_belongs(shell: Any, tmp_path: Path, number: str, text: str) -> None:
    (tmp_path / "plan.md").write_text(text)
    assert shell("comment", number, str(tmp_path / "plan.md"))[0] == 1
    assert not (tmp_path / "log").exists()


def test_the_two_workflows_that_comment_have_marks_of_their_own() -> None:
    review = (ROOT / ".github" / "workflows" / "review.yml").read_text()
    [mark] = re.findall(r'MARK: "(<!-- photo-splat [a-z ]+ -->)"', review)
    assert mark != plan.COMMENT_MARK
