"""Version and completion as a shell meets them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]


def splat(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from scripts.splat_cli.main import main; main()", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version_is_that_of_the_checkout() -> None:
    done = splat("--version")
    declared = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert declared is not None
    assert done.returncode == 0
    assert done.stdout.startswith(f"splat {declared[1]}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_completion_script_calls_the_program_with_the_variable_that_it_reads(shell: str) -> None:
    done = splat("completion", shell)
    assert done.returncode == 0
    assert "_SPLAT_COMPLETE" in done.stdout
    assert f"complete_{shell}" in done.stdout


def test_an_unknown_shell_is_rejected_with_the_names_of_the_others() -> None:
    done = splat("completion", "tcsh")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "hint: choose one of bash, zsh, fish, powershell"


def test_bash_completes_commands_and_options() -> None:
    variables = {"_SPLAT_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert "doctor" in splat(**variables, COMP_WORDS="splat do").stdout.split()
    assert splat(**{**variables, "COMP_CWORD": "2"}, COMP_WORDS="splat doctor --fi").stdout.split() == ["--fix"]
