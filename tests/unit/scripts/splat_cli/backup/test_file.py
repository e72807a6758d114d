"""The backup file: what is written comes back, and anything else is an error with a next step."""

from __future__ import annotations

import gzip
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.splat_cli.backup.file import Backup, new_id, read, write
from scripts.splat_cli.errors import CommandError

SECRET = "rpa_SECRET0OF0THE0TEST"
TEAPOT: dict[str, Any] = {
    "of": "p_0000000000000001",
    "tables": {"project": [{"id": "p_0000000000000001", "name": "Teapot"}]},
}
BOOKS: dict[str, Any] = {"of": "account", "tables": {"job": [{"project": "p_0000000000000001", "usd": 0.5}] * 3}}
BACKUP = Backup(
    id="b_0123456789abcdef",
    stack="dev",
    made_at="2026-11-30T12:00:00Z",
    entries=(TEAPOT, BOOKS),
    state={"version": 3, "deployment": {"resources": []}},
)


def written(file: Path, lines: list[Any]) -> Path:
    file.write_bytes(gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode()))
    return file


@pytest.mark.parametrize("state", [BACKUP.state, None], ids=["with a state", "without a state"])
def test_a_backup_comes_back_as_it_was_written(tmp_path: Path, state: dict[str, Any] | None) -> None:
    backup = replace(BACKUP, state=state)
    write(tmp_path / "new/dev.backup", backup, forbidden=[SECRET])
    assert read(tmp_path / "new/dev.backup") == backup
    assert (backup.scenes(), backup.jobs()) == ({"p_0000000000000001": "Teapot"}, 3)


def test_only_its_owner_can_read_it_and_no_draft_stays(tmp_path: Path) -> None:
    write(tmp_path / "dev.backup", BACKUP, forbidden=[])
    assert stat.S_IMODE((tmp_path / "dev.backup").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["dev.backup"]


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "dev.backup").write_text("mine")
    with pytest.raises(CommandError, match="exists already"):
        write(tmp_path / "dev.backup", BACKUP, forbidden=[])
    assert (tmp_path / "dev.backup").read_text() == "mine"


def test_a_secret_in_plain_text_is_not_written(tmp_path: Path) -> None:
    state = {"deployment": {"resources": [{"inputs": {"env": f"KEY={SECRET}"}}]}}
    with pytest.raises(CommandError, match="would hold a secret"):
        write(tmp_path / "dev.backup", replace(BACKUP, state=state), forbidden=[SECRET])
    assert list(tmp_path.iterdir()) == []


HEAD = {"format": "photo-splat backup", "version": 1, "id": "b_1", "stack": "dev", "made_at": "now"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param([HEAD, TEAPOT, BOOKS], "is incomplete", id="no end"),
        pytest.param([HEAD, TEAPOT, {"end": 3}], "is incomplete", id="an entry is missing"),
        pytest.param([{**HEAD, "version": 2}, {"end": 1}], "has format 2, and this release reads 1", id="newer"),
        pytest.param([{"format": "tar"}, {"end": 1}], "is no backup", id="another file"),
        pytest.param([], "is no backup", id="empty"),
        pytest.param([1, 2], "is no backup", id="not objects"),
        pytest.param([{"format": HEAD["format"], "version": 1}, {"end": 1}], "is damaged", id="no id"),
        pytest.param([HEAD, {"state": 5}, {"end": 2}], "is damaged", id="a state that is none"),
    ],
)
def test_a_file_that_is_no_whole_backup_is_an_error(tmp_path: Path, lines: list[Any], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        read(written(tmp_path / "x.backup", lines))
    assert refused.value.hint


def test_every_cut_and_every_changed_byte_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "dev.backup", BACKUP, forbidden=[])
    whole = (tmp_path / "dev.backup").read_bytes()
    for at in range(len(whole)):
        # The header's byte 9 names a system and 4 to 8 a time: they change no content.
        changed = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        for content in (whole[:at], changed):
            (tmp_path / "dev.backup").write_bytes(content)
            try:
                found = read(tmp_path / "dev.backup")
            except CommandError:
                continue
            assert found == BACKUP, at


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.backup does not exist"):
        read(tmp_path / "none.backup")


def test_ids_have_the_form_of_the_contract() -> None:
    assert new_id() != new_id()
    assert len(new_id()) == 18
