"""The worker image in its registry: which tools run, in which order, and when they stop.
docker, syft, grype, cosign and go are recorders here; the image workflow runs the real ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.gitops import image

ROOT = Path(__file__).resolve().parents[4]
REPOSITORY = "ghcr.io/Team/splat-worker"
DIGEST = "sha256:dddd"
IMAGE = "ghcr.io/team/splat-worker@sha256:" + "a" * 64

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
TOOL = """#!/bin/sh
echo "{name} $*" >> "$LOG"
touch "$REPORTS/vulnerabilities.txt"
exit {code}
"""


@pytest.fixture
def gitops(tmp_path: Path) -> Any:
    """Runs a command with the recorders first on PATH and no package installed, as on a bare runner.

    Returns its exit code, its standard output, and the recorded calls. grype: the exit code of that tool.
    """
    log = tmp_path / "log"

    def run(*arguments: str, grype: int = 0) -> tuple[int, str, list[str]]:
        log.write_text("")
        tools = {name: TOOL.format(name=name, code=0) for name in ("syft", "cosign", "go")}
        for name, text in {**tools, "grype": TOOL.format(name="grype", code=grype), "docker": DOCKER}.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        environment = {
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "LOG": str(log),
            "PUSHED": str(tmp_path / "pushed"),
            "REPORTS": str(tmp_path),
            "REGISTRY_USERNAME": "team",
            "REGISTRY_PASSWORD": "registry-password",
        }
        done = subprocess.run(
            [sys.executable, "-S", "-m", "scripts.gitops", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout, log.read_text().splitlines()

    return run


def test_an_image_is_built_once_for_its_content(gitops: Any) -> None:
    code, printed, calls = gitops("build-image", REPOSITORY)
    assert code == 0
    log = "\n".join(calls)
    assert re.search(r"buildx build .*--push --tag ghcr\.io/team/splat-worker:unchecked-[0-9a-f]{16} ", log)
    assert "--build-arg REVISION=" in log
    assert printed == f"digest={DIGEST}\nchecked=false\n"

    assert gitops("tag-image", f"{REPOSITORY}@{DIGEST}")[0] == 0
    _, printed, calls = gitops("build-image", REPOSITORY)
    assert "buildx build" not in "\n".join(calls)
    assert printed == f"digest={DIGEST}\nchecked=true\n"


def test_an_image_that_failed_its_scan_is_not_deployed_and_is_scanned_again(gitops: Any) -> None:
    """It is not built a second time, but no later run takes it for a checked one."""
    gitops("build-image", REPOSITORY)
    assert gitops("find-image", REPOSITORY, "--tries", "1")[:2] == (1, "")
    _, printed, calls = gitops("build-image", REPOSITORY)
    assert "buildx build" not in "\n".join(calls)
    assert printed == f"digest={DIGEST}\nchecked=false\n"


def test_a_checked_image_is_tagged_without_a_change_of_its_digest(gitops: Any) -> None:
    _, _, calls = gitops("tag-image", f"{REPOSITORY}@{DIGEST}")
    assert re.fullmatch(
        r"docker buildx imagetools create --prefer-index=false --tag ghcr\.io/team/splat-worker:[0-9a-f]{16} "
        rf"ghcr\.io/team/splat-worker@{DIGEST}",
        calls[0],
    )
    assert gitops("find-image", REPOSITORY)[1] == f"ghcr.io/team/splat-worker@{DIGEST}\n"
    assert gitops("tag-image", f"{REPOSITORY}:tag")[0] == 2
    assert gitops("tag-image", f"{REPOSITORY}@sha256:another")[0] == 1  # the registry made another digest


def test_the_registrys_password_is_on_no_command_line(gitops: Any) -> None:
    _, _, calls = gitops("build-image", "ghcr.io/team/splat-worker")
    assert calls[0] == "docker login ghcr.io --username team --password-stdin"
    assert "registry-password" not in "\n".join(calls)


def test_the_image_of_the_sources_is_found_by_digest(gitops: Any, tmp_path: Path) -> None:
    (tmp_path / "pushed").touch()
    assert gitops("find-image", REPOSITORY, "")[1] == "ghcr.io/team/splat-worker@sha256:dddd\n"


def test_a_requested_image_is_used_as_it_is(gitops: Any) -> None:
    found = gitops("find-image", "ghcr.io/team/splat-worker", "repo@sha256:aa")
    assert found == (0, "repo@sha256:aa\n", [])


def test_an_image_that_is_still_being_built_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["", "", DIGEST])
    pauses: list[float] = []
    monkeypatch.setattr(image, "_log_in", lambda _repository: None)
    monkeypatch.setattr(image, "_digest", lambda _repository, _name: next(answers))
    assert image.find(REPOSITORY, sleep=pauses.append).digest == DIGEST
    assert pauses == [image.WAIT_PAUSE_S] * 2


def test_an_image_that_is_never_built_is_an_error(gitops: Any) -> None:
    assert gitops("find-image", "ghcr.io/team/splat-worker", "--tries", "1")[0] == 1


def test_a_sound_image_is_scanned_signed_and_its_bill_of_materials_attested(gitops: Any, tmp_path: Path) -> None:
    code, _, calls = gitops("scan-and-sign-image", IMAGE, "--reports", str(tmp_path))
    assert code == 0
    assert [call.split()[0:2] for call in calls] == [
        ["syft", "scan"], ["grype", calls[1].split()[1]], ["cosign", "sign"], ["cosign", "attest"]
    ]  # fmt: skip
    assert "--fail-on high" in calls[1]
    assert all(IMAGE in call for call in (calls[0], calls[2], calls[3]))


def test_an_owner_with_capitals_is_written_as_registries_spell_it(gitops: Any, tmp_path: Path) -> None:
    code, _, calls = gitops("scan-and-sign-image", IMAGE.replace("team", "Team"), "--reports", str(tmp_path))
    assert code == 0
    assert all(IMAGE in call for call in (calls[0], calls[2], calls[3]))


def test_a_vulnerable_image_is_not_signed(gitops: Any, tmp_path: Path) -> None:
    code, _, calls = gitops("scan-and-sign-image", IMAGE, "--reports", str(tmp_path), grype=2)
    assert code == 1
    assert not any(call.startswith("cosign") for call in calls)


@pytest.mark.parametrize("arguments", [(), ("ghcr.io/team/splat-worker:latest",)])
def test_a_tag_is_rejected(gitops: Any, arguments: tuple[str, ...]) -> None:
    assert gitops("scan-and-sign-image", *arguments) == (2, "", [])


def test_the_scanners_are_installed_by_exact_version(gitops: Any) -> None:
    _, _, calls = gitops("install-scanners")
    assert len(calls) == 3
    assert all(call.partition("@v")[2].replace(".", "").isdigit() for call in calls), calls
