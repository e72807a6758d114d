"""The launcher of the built engine's Python host: the project's own virtual environment comes first on PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import engine  # type: ignore[import-not-found]
import pytest

ROOT = Path(__file__).parents[4]
LAUNCHER = ROOT / "scripts/engine/launchers/pulumi-language-python"
FRONT = LAUNCHER.with_name("python_host_front.py")
PYTHON = '#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n'  # prints its own path, and what it gets


def test_a_built_host_gets_its_launcher_once(tmp_path: Path) -> None:
    host = tmp_path / "pulumi-language-python"
    host.write_bytes(b"\x7fELF host")
    for _ in range(2):  # set-up may run again
        engine._add_launcher(ROOT, tmp_path)
        assert host.read_bytes() == LAUNCHER.read_bytes()
        assert (tmp_path / "pulumi-language-python-host").read_bytes() == b"\x7fELF host"
        assert (tmp_path / FRONT.name).read_bytes() == FRONT.read_bytes()
    assert host.stat().st_mode & 0o111


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def first_on_path(tmp_path: Path, here: Path) -> str:
    """The `python3` that runs the front, and is the host's, started in a folder."""
    launcher = executable(tmp_path / "engine" / LAUNCHER.name, LAUNCHER.read_text())
    path = f"{executable(tmp_path / 'bin/python3', PYTHON).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [launcher, "-root", "x y"],
        cwd=here,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    python, *arguments = done.stdout.splitlines()
    host = launcher.with_name("pulumi-language-python-host")
    assert arguments == ["-I", str(launcher.with_name(FRONT.name)), str(host), "-root", "x y"]
    return python


@pytest.mark.parametrize("written", [".venv", '".venv"', "{folder}/.venv"])
def test_the_environment_of_the_project_is_used(tmp_path: Path, written: str) -> None:
    project = tmp_path / "a project"
    python = executable(project / ".venv/bin/python3", PYTHON)
    option = written.format(folder=project)
    (project / "Pulumi.yaml").write_text(f"name: p\nruntime:\n  name: python\n  options:\n    virtualenv: {option}\n")
    (project / "inside").mkdir()
    assert first_on_path(tmp_path, project / "inside") == str(python)


@pytest.mark.parametrize("text", ["name: p\nruntime: python\n", "runtime:\n  options:\n    virtualenv: gone\n"])
def test_without_an_environment_the_path_stays(tmp_path: Path, text: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text(text)
    assert first_on_path(tmp_path, project) == str(tmp_path / "bin/python3")


def test_the_host_runs_alone_where_no_python_has_what_the_front_needs(tmp_path: Path) -> None:
    front = tmp_path / FRONT.name
    front.write_text(FRONT.read_text())
    host = executable(tmp_path / "host", "#!/bin/sh\necho 'the host itself' \"$@\"\n")
    bare = [sys.executable, "-I", "-S", front, host, "-root", "x"]  # -S: without the packages of the environment
    assert (
        subprocess.run(bare, capture_output=True, text=True, check=True, timeout=20).stdout
        == "the host itself -root x\n"
    )


def test_the_front_ends_with_a_host_that_does_not_start(tmp_path: Path) -> None:
    host = executable(tmp_path / "host", '#!/bin/sh\necho "$@" >&2\nexit 3\n')
    command = [sys.executable, FRONT, host, "-root", "x", "-toolchain=pip"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (3, "-root x\n")  # without the option that it does not know
