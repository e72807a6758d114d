"""The command as people meet it: exit codes, words on stderr, and nothing but data on stdout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def splat(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from scripts.splat_cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "SPLAT_LOCAL_STATE": "/nonexistent/splat", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unknown_stack_names_those_that_exist() -> None:
    done = splat("up", "--stack", "staging")
    assert done.returncode == 1
    assert "There is no stack 'staging'" in done.stderr
    assert "local" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["outputs", "scenes", "open"])
def test_commands_that_need_a_deployment_say_how_to_get_one(command: str) -> None:
    done = splat(command)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The local stack is not deployed.", "hint: make up"]


def test_a_wrong_option_is_the_users_fault_and_shows_the_usage() -> None:
    done = splat("reconstruct", "--no-such-option")
    assert done.returncode == 1
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_an_address_in_the_environment_is_refused() -> None:
    done = splat("scenes", SPLAT_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "SPLAT_TOKEN is not set" in done.stderr


def test_a_service_that_does_not_answer_is_not_the_users_fault() -> None:
    done = splat("scenes", SPLAT_URL="http://127.0.0.1:9", SPLAT_TOKEN="token")
    assert done.returncode == 2
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_is_in_the_operations_page() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    listed = [
        line.split()[0]
        for line in splat("--help").stdout.splitlines()
        if line.startswith("  ") and "  " in line.strip()
    ]
    commands = [name for name in listed if not name.startswith("-")]
    assert len(commands) >= 8
    assert [name for name in commands if f"splat {name}" not in page] == []
