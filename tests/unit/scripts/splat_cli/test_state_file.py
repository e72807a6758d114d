"""State files of a killed engine, in the layout of the file backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.state_file import repair

WHOLE = '{"version": 3, "checkpoint": {"stack": "organization/photo-splat/local"}}'
OLDER = '{"version": 3, "checkpoint": {"stack": "organization/photo-splat/local", "older": true}}'


def write_state(backend: Path, *, state: str, backup: str | None) -> Path:
    folder = backend / ".pulumi/stacks/photo-splat"
    folder.mkdir(parents=True)
    (folder / "local.json").write_text(state)
    if backup is not None:
        (folder / "local.json.bak").write_text(backup)
    return folder / "local.json"


def test_a_whole_state_is_left_as_it_is(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=OLDER)
    assert repair(tmp_path) == []
    assert file.read_text() == WHOLE


@pytest.mark.parametrize("cut", ["", WHOLE[:40], "\0" * 64, "null"])
def test_a_truncated_state_is_replaced_with_its_backup(tmp_path: Path, cut: str) -> None:
    file = write_state(tmp_path, state=cut, backup=OLDER)
    assert repair(tmp_path) == ["local"]
    assert file.read_text() == OLDER
    assert file.with_name("local.json.bak").read_text() == OLDER
    assert repair(tmp_path) == []


@pytest.mark.parametrize("backup", [None, "", "{"])
def test_without_a_readable_backup_nothing_changes_and_the_hint_names_the_import(
    tmp_path: Path, backup: str | None
) -> None:
    file = write_state(tmp_path, state="", backup=backup)
    with pytest.raises(CommandError, match="and its backup are unreadable") as caught:
        repair(tmp_path)
    assert "pulumi stack import" in caught.value.hint
    assert file.read_text() == ""


@pytest.mark.parametrize("cut", ["", '{"user.content_type":'])
def test_truncated_attributes_are_removed_and_the_state_stays(tmp_path: Path, cut: str) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=OLDER)
    file.with_name("local.json.attrs").write_text(cut)
    file.with_name("local.json.bak.attrs").write_text('{"md5": "x"}')
    assert repair(tmp_path) == ["local"]
    assert file.read_text() == WHOLE
    left = {path.name for path in file.parent.iterdir()}
    assert left == {"local.json", "local.json.bak", "local.json.bak.attrs"}


def test_a_backend_without_stacks_needs_no_repair(tmp_path: Path) -> None:
    assert repair(tmp_path) == []
