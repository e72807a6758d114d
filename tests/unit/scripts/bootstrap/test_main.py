"""The set-up's entry: what it refuses, what it announces, and its exit codes."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import main as bootstrap  # type: ignore[import-not-found]
import pytest
from platforms import Machine  # type: ignore[import-not-found]
from runner import Context, Step  # type: ignore[import-not-found]

ROOT = Path(__file__).parents[4]


def step(tmp_path: Path, name: str, action: Callable[[Context], None] = lambda context: None) -> Step:
    return Step(name=name, stamp=tmp_path / "stamps" / name, action=action)


def fail_with(error: BaseException) -> Callable[[Context], None]:
    def act(context: Context) -> None:
        raise error

    return act


@pytest.fixture(autouse=True)
def _logs_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)


def test_a_disk_too_small_is_reported_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 2.5e9})
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    assert "only 2.5 GB are free" in bootstrap._disk_short([step(tmp_path, "worker environment")])
    assert bootstrap._disk_short([step(tmp_path, "deploy environment")]) is None


@pytest.mark.parametrize(
    ("action", "code", "hint"),
    [
        pytest.param(lambda context: None, 0, "", id="done"),
        pytest.param(fail_with(ValueError("unexpected")), 2, "a bug in the set-up", id="a bug of ours"),
        pytest.param(
            fail_with(OSError(errno.ENOSPC, "No space left on device")), 1, "the disk is full", id="disk full"
        ),
        pytest.param(fail_with(PermissionError(errno.EACCES, "denied")), 1, "may not write there", id="no permission"),
        pytest.param(
            lambda context: context.run([sys.executable, "-c", "raise SystemExit('npm error code ENOTFOUND')"]),
            1,
            "cannot be reached",
            id="no network",
        ),
        pytest.param(
            lambda context: context.run([sys.executable, "-c", "raise SystemExit('unknown')"]),
            1,
            "read the log named above",
            id="a command that fails for a reason of its own",
        ),
    ],
)
def test_the_exit_code_separates_the_machine_s_faults_from_ours(
    action: Callable[[Context], None],
    code: int,
    hint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bootstrap._set_up([step(tmp_path, "packages", action)]) == code
    printed = capsys.readouterr().err
    assert hint in printed
    assert "Traceback" not in printed


def test_it_announces_minutes_and_size_first_and_one_line_per_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [step(tmp_path, "worker environment"), step(tmp_path, "uv")]
    bootstrap._set_up(steps)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Setting up in this folder: about 4 min and 5 GB the first time."
    assert sorted(lines[1:3]) == ["  uv                  0 s", "  worker environment  0 s"]
    assert lines[3:] == ["Set-up done in 0 s."]


def test_a_machine_that_is_not_supported_is_refused_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(system="Linux", processor="arm64", version=(2, 36), python=(3, 11))
    monkeypatch.setattr(bootstrap.Machine, "this", staticmethod(lambda: machine))
    monkeypatch.setattr(bootstrap, "package_steps", lambda *_, **__: pytest.fail("a step was prepared"))
    assert bootstrap.main([]) == 1
    assert "scripts/bootstrap --deploy-only" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fake", "environment", "part"),
    [
        ("import sys; sys.exit(1)", {}, "No supported Python was found"),
        ("", {"SPLAT_PYTHON": "/nowhere/python"}, "SPLAT_PYTHON is /nowhere/python"),
        ("import sys; sys.exit('ensurepip' in sys.argv[-1])", {}, "has no venv module"),
    ],
)
def test_a_missing_python_or_venv_is_named_with_its_package(
    fake: str, environment: dict[str, str], part: str, tmp_path: Path
) -> None:
    """The shell script in front, with nothing on PATH but a python3 that behaves as named."""
    script = tmp_path / "fake.py"
    script.write_text(fake)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "dirname"):
        (tools / tool).symlink_to(f"/usr/bin/{tool}")
    python = tools / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts/bootstrap"],
        env={"PATH": str(tools), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert part in done.stderr
    assert "hint: " in done.stderr
