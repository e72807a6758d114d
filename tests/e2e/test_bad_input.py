"""User errors on one machine: each has a clear message, leaves nothing behind, and `splat up` works afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from local_cloud import process_group
from tests.conftest import ROOT, SPLAT, LocalStack, run_splat

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.timeout(600)]


def test_four_photos_are_too_few_and_no_project_is_created(local_stack: LocalStack, tmp_path: Path) -> None:
    for photo in sorted(local_stack.photos_dir.iterdir())[:4]:
        (tmp_path / photo.name).write_bytes(photo.read_bytes())
    (tmp_path / "letter.jpg").write_text("Dear all,")
    before = local_stack.splat("scenes", "--json").stdout
    done = local_stack.splat("reconstruct", str(tmp_path))
    assert done.returncode == 1
    assert "holds 4 photos that can be used, 5 or more are needed" in done.stderr
    assert "left out letter.jpg: not a JPEG" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint:")
    assert local_stack.splat("scenes", "--json").stdout == before


def test_downloading_a_missing_scene_is_an_error(local_stack: LocalStack, tmp_path: Path) -> None:
    done = local_stack.splat("download", "p_0000000000", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "NOT_FOUND" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_port_in_use_is_named_and_nothing_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_splat("up", "--no-scene", "--port", str(port), state=tmp_path / "local")
    assert done.returncode == 2
    assert f"Port {port} is in use" in done.stderr
    assert not (tmp_path / "local/cloud.json").exists()
    assert run_splat("down", state=tmp_path / "local").returncode == 0


def test_an_exported_passphrase_of_another_stack_changes_nothing(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the team's stack")
    assert local_stack.outputs()["appUrl"] == local_stack.app_url


def test_a_lost_passphrase_is_reported_with_the_fix(local_stack: LocalStack) -> None:
    passphrase = local_stack.state / "passphrase"
    hidden = passphrase.rename(local_stack.state / "hidden")
    try:
        done = local_stack.splat("up", "--no-scene")
        assert done.returncode == 1
        assert "The passphrase of the local stack is missing" in done.stderr
        assert "hint: put the passphrase that created the stack into this file" in done.stderr
    finally:
        hidden.rename(passphrase)


def test_a_second_up_is_rejected_while_one_runs_and_an_interrupted_one_continues(tmp_path: Path) -> None:
    state = tmp_path / "local"
    environment = {**os.environ, "SPLAT_LOCAL_STATE": str(state)}
    first = process_group.start(
        [str(SPLAT), "up", "--no-scene"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background job, such as a CI step, ignores Ctrl-C, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while not (state / "cloud.json").exists():
            assert time.monotonic() < deadline
            assert first.poll() is None, first.stderr and first.stderr.read()
            time.sleep(0.1)
        second = run_splat("up", "--no-scene", state=state)
        assert second.returncode == 1
        assert f"Another command (process {first.pid}) is changing the local stack." in second.stderr
        # Ctrl-C in a terminal reaches every process of the foreground group.
        process_group.send(first.pid, signal.SIGINT)
        errors = first.communicate(timeout=120)[1].decode()
        assert first.returncode == 130, errors
        assert "Stopped." in errors
        assert "Traceback" not in errors
        again = run_splat("up", "--no-scene", state=state)
        assert again.returncode == 0, again.stderr
    finally:
        if first.poll() is None:
            process_group.send(first.pid, signal.SIGKILL)
        down = run_splat("down", state=state)
    assert down.returncode == 0, down.stderr
    assert not state.exists()
