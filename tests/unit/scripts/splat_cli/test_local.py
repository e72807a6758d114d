"""The local stack's own passphrase and state, with an engine that knows one passphrase."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from rich.console import Console

from local_cloud.addresses import Addresses, StateFolder
from scripts.splat_cli import local
from scripts.splat_cli.errors import CommandError

RIGHT = "the right one"
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose engine opens the state with one passphrase."""
    (tmp_path / ".tools").mkdir()
    (tmp_path / ".tools/engine.json").write_text(json.dumps({"folder": str(tmp_path)}))
    engine = f'[ "$PULUMI_CONFIG_PASSPHRASE" = "{RIGHT}" ] || {{ echo "error: incorrect passphrase" >&2; exit 255; }}'
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\n{engine}\necho '{{}}'\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.delenv("SPLAT_LOCAL_STATE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    return tmp_path


@pytest.fixture
def state(checkout: Path) -> StateFolder:
    """A deployed local stack without a passphrase file."""
    found = local.state_folder(checkout)
    stack = found.root / "state/.pulumi/stacks/photo-splat/local.json"
    stack.parent.mkdir(parents=True)
    stack.write_text('{"version": 3}')
    return found


def passphrase_of(checkout: Path) -> str:
    return local.deployed(checkout).environment["PULUMI_CONFIG_PASSPHRASE"]


def test_an_exported_passphrase_does_not_touch_a_stack_with_its_own(
    checkout: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state.root / "passphrase").write_text(RIGHT)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the team's stack")

    assert passphrase_of(checkout) == RIGHT


def test_a_new_stack_gets_its_own_passphrase_whatever_is_exported(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the team's stack")
    state = local.state_folder(checkout)

    made = local.engine(checkout, state).environment["PULUMI_CONFIG_PASSPHRASE"]

    assert made == (state.root / "passphrase").read_text() != "of the team's stack"
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert local.engine(checkout, state).environment["PULUMI_CONFIG_PASSPHRASE"] == made


def test_a_stack_of_an_earlier_release_keeps_the_exported_passphrase_that_created_it(
    checkout: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", RIGHT)
    assert passphrase_of(checkout) == RIGHT

    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert passphrase_of(checkout) == RIGHT
    assert (state.root / "passphrase").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("exported", ["", "of the team's stack"])
def test_a_lost_passphrase_is_reported_and_nothing_is_written(
    checkout: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch, exported: str
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", exported)

    with pytest.raises(CommandError, match="passphrase of the local stack is missing") as caught:
        local.deployed(checkout)

    assert caught.value.hint.startswith("put the passphrase that created the stack into this file")
    assert not (state.root / "passphrase").exists()


def test_every_command_repairs_a_truncated_state_first(
    checkout: Path, state: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    (state.root / "passphrase").write_text(RIGHT)
    attributes = state.root / "state/.pulumi/stacks/photo-splat/local.json.attrs"
    attributes.write_text("")

    local.deployed(checkout)

    assert not attributes.exists()
    assert "Repaired the state of stack local" in capsys.readouterr().err


def test_a_state_that_another_command_is_writing_is_left_alone(checkout: Path, state: StateFolder) -> None:
    (state.root / "passphrase").write_text(RIGHT)
    attributes = state.root / "state/.pulumi/stacks/photo-splat/local.json.attrs"
    attributes.write_text("")

    with local.one_at_a_time(state):
        local.deployed(checkout)

    assert attributes.exists()


def test_up_closes_the_state_to_others_also_one_of_an_earlier_release(
    checkout: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state.root / "passphrase").write_text(RIGHT)
    (checkout / "pulumi").write_text('#!/bin/sh\necho \'{"appUrl": "http://127.0.0.1:1"}\'\n')
    shutil.copy(ROOT / "Pulumi.local.yaml", checkout)
    for folder in (state.root, state.root / "state"):
        folder.chmod(0o755)
    running = Addresses(
        app_url="http://127.0.0.1:1",
        runpod_url="http://127.0.0.1:2",
        control_url="http://127.0.0.1:3",
        supervisor_pid=1,
    )
    monkeypatch.setattr(local, "_start_cloud", lambda *_, **__: running)

    local.up(checkout, console=Console(quiet=True))

    assert [stat.S_IMODE(one.stat().st_mode) for one in (state.root, state.root / "state")] == [0o700, 0o700]
