"""The launcher of the built engine's Python host: the project's own virtual environment comes first on PATH."""

from __future__ import annotations

import subprocess
from pathlib import Path

import engine  # type: ignore[import-not-found]
import pytest

ROOT = Path(__file__).parents[4]
LAUNCHER = ROOT / "scripts/engine/launchers/pulumi-language-python"


def test_a_built_host_gets_its_launcher_once(tmp_path: Path) -> None:
    host = tmp_path / "pulumi-language-python"
    host.write_bytes(b"\x7fELF host")
    for _ in range(2):  # set-up may run again
        engine._add_launcher(ROOT, tmp_path)
        assert host.read_bytes() == LAUNCHER.read_bytes()
        assert (tmp_path / "pulumi-language-python-host").read_bytes() == b"\x7fELF host"
    assert host.stat().st_mode & 0o111


def first_on_path(tmp_path: Path, here: Path) -> str:
    """What the host would take for `python3`, started in a folder."""
    engine = tmp_path / "engine"
    engine.mkdir()
    launcher = engine / LAUNCHER.name
    launcher.write_bytes(LAUNCHER.read_bytes())
    host = engine / "pulumi-language-python-host"
    host.write_text('#!/bin/sh\ncommand -v python3\necho "$@"\n')
    for program in (launcher, host):
        program.chmod(0o755)
    done = subprocess.run([launcher, "-root", "x y"], cwd=here, capture_output=True, text=True, check=True, timeout=20)
    python, arguments = done.stdout.splitlines()
    assert arguments == "-root x y"
    return python


@pytest.mark.parametrize("written", [".venv", '".venv"', "{folder}/.venv"])
def test_the_environment_of_the_project_is_used(tmp_path: Path, written: str) -> None:
    project = tmp_path / "a project"
    python = project / ".venv/bin/python3"
    python.parent.mkdir(parents=True)
    python.write_text("")
    python.chmod(0o755)
    option = written.format(folder=project)
    (project / "Pulumi.yaml").write_text(f"name: p\nruntime:\n  name: python\n  options:\n    virtualenv: {option}\n")
    (project / "inside").mkdir()
    assert first_on_path(tmp_path, project / "inside") == str(python)


@pytest.mark.parametrize("text", ["name: p\nruntime: python\n", "runtime:\n  options:\n    virtualenv: gone\n"])
def test_without_an_environment_the_path_stays(tmp_path: Path, text: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text(text)
    assert str(project) not in first_on_path(tmp_path, project)
