"""The inspection of a pushed image: what is asked of the tools, in which order, and when it stops.
The tools are recorders here; the workflow builds the real ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = ROOT / "scripts" / "gitops" / "inspect-image"
IMAGE = "ghcr.io/team/splat-worker@sha256:" + "a" * 64


@pytest.fixture
def inspect(tmp_path: Path) -> Any:
    """Runs the program with recorders first on PATH; `grype` is the exit code of that tool."""

    def run(*arguments: str, grype: int = 0) -> tuple[int, list[str]]:
        log = tmp_path / "log"
        log.write_text("")
        for name, status in (("syft", 0), ("grype", grype), ("cosign", 0), ("go", 0)):
            (tmp_path / name).write_text(
                f'#!/bin/sh\necho "{name} $*" >> "{log}"\ntouch "$REPORT_DIR/vulnerabilities.txt"\nexit {status}\n'
            )
            (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            [PROGRAM, *arguments],
            env={"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "REPORT_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.returncode, log.read_text().splitlines()

    return run


def test_a_sound_image_is_listed_scanned_signed_and_its_list_attested(inspect: Any) -> None:
    code, calls = inspect(IMAGE)
    assert code == 0
    assert [call.split()[0:2] for call in calls] == [
        ["syft", "scan"], ["grype", calls[1].split()[1]], ["cosign", "sign"], ["cosign", "attest"]
    ]  # fmt: skip
    assert "--fail-on high" in calls[1]
    assert all(IMAGE in call for call in (calls[0], calls[2], calls[3]))


def test_an_owner_with_capitals_is_asked_for_as_registries_spell_it(inspect: Any) -> None:
    code, calls = inspect(IMAGE.replace("team", "Team"))
    assert code == 0
    assert all(IMAGE in call for call in (calls[0], calls[2], calls[3]))


def test_a_vulnerable_image_is_not_signed(inspect: Any) -> None:
    code, calls = inspect(IMAGE, grype=2)
    assert code == 1
    assert not any(call.startswith("cosign") for call in calls)


@pytest.mark.parametrize("arguments", [(), ("ghcr.io/team/splat-worker:latest",)])
def test_a_tag_is_refused(inspect: Any, arguments: tuple[str, ...]) -> None:
    assert inspect(*arguments) == (2, [])


def test_its_tools_are_named_by_exact_version(inspect: Any) -> None:
    _, calls = inspect("--install")
    assert len(calls) == 3
    assert all(call.partition("@v")[2].replace(".", "").isdigit() for call in calls), calls


def test_the_update_bot_watches_every_place_that_pins_something() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    watched = {
        (one["package-ecosystem"], place) for one in updates for place in one.get("directories", [one.get("directory")])
    }
    assert {("docker", "/worker_image"), ("github-actions", "/")} <= watched
    for kind, place in watched - {("github-actions", "/")}:
        name = {"docker": "Dockerfile", "pip": "*.in", "npm": "package-lock.json"}[kind]
        assert list((ROOT / place.lstrip("/")).glob(name)), (kind, place)
