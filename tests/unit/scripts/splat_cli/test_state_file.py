"""State files that a killed engine left, as the file backend lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.state_file import mend

WHOLE = '{"version": 3, "checkpoint": {"stack": "organization/photo-splat/local"}}'
OLDER = '{"version": 3, "checkpoint": {"stack": "organization/photo-splat/local", "older": true}}'


def lay(backend: Path, *, state: str, backup: str | None) -> Path:
    folder = backend / ".pulumi/stacks/photo-splat"
    folder.mkdir(parents=True)
    (folder / "local.json").write_text(state)
    if backup is not None:
        (folder / "local.json.bak").write_text(backup)
    return folder / "local.json"


def test_a_whole_state_is_left_as_it_is(tmp_path: Path) -> None:
    file = lay(tmp_path, state=WHOLE, backup=OLDER)
    assert mend(tmp_path) == []
    assert file.read_text() == WHOLE


@pytest.mark.parametrize("cut", ["", WHOLE[:40], "\0" * 64, "null"])
def test_a_state_that_was_cut_short_gives_way_to_its_backup(tmp_path: Path, cut: str) -> None:
    file = lay(tmp_path, state=cut, backup=OLDER)
    assert mend(tmp_path) == ["local"]
    assert file.read_text() == OLDER
    assert file.with_name("local.json.bak").read_text() == OLDER
    assert mend(tmp_path) == []


@pytest.mark.parametrize("backup", [None, "", "{"])
def test_without_a_readable_backup_nothing_is_changed_and_the_way_out_is_told(
    tmp_path: Path, backup: str | None
) -> None:
    file = lay(tmp_path, state="", backup=backup)
    with pytest.raises(CommandError, match="cannot be read, nor its backup") as caught:
        mend(tmp_path)
    assert "pulumi stack import" in caught.value.hint
    assert file.read_text() == ""


@pytest.mark.parametrize("cut", ["", '{"user.content_type":'])
def test_attributes_that_were_cut_short_are_removed_and_the_state_is_kept(tmp_path: Path, cut: str) -> None:
    file = lay(tmp_path, state=WHOLE, backup=OLDER)
    file.with_name("local.json.attrs").write_text(cut)
    file.with_name("local.json.bak.attrs").write_text('{"md5": "x"}')
    assert mend(tmp_path) == ["local"]
    assert file.read_text() == WHOLE
    left = {path.name for path in file.parent.iterdir()}
    assert left == {"local.json", "local.json.bak", "local.json.bak.attrs"}


def test_a_backend_without_stacks_needs_no_mending(tmp_path: Path) -> None:
    assert mend(tmp_path) == []
