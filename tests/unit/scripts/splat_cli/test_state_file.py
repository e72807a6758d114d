"""State files of a killed engine, in the layout of the file backend."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.state_file import file_backend, keep_readable, repair

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
    assert str(tmp_path / ".pulumi/backups") in caught.value.hint
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


def test_the_damaged_state_is_kept_for_a_look(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE[:40], backup=OLDER)
    repair(tmp_path)
    assert file.with_name("local.json.damaged").read_text() == WHOLE[:40]


def test_a_compressed_state_is_repaired_as_well(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=None).with_name("dev.json.gz")
    file.write_bytes(gzip.compress(WHOLE.encode())[:-9])
    file.with_name("dev.json.gz.bak").write_bytes(gzip.compress(OLDER.encode()))
    assert repair(tmp_path) == ["dev"]
    assert gzip.decompress(file.read_bytes()).decode() == OLDER


def test_without_room_for_the_repair_the_hint_is_about_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_state(tmp_path, state="{", backup=OLDER)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(CommandError, match="No space left on device") as caught:
        repair(tmp_path)
    assert caught.value.hint.startswith("free some disk space")
    assert file.read_text() == "{"


def keep(backend: Path) -> list[str]:
    return keep_readable(backend, project="photo-splat", stack="local")


def test_a_checked_copy_outlives_a_state_and_its_backup(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=OLDER)
    assert keep(tmp_path) == []
    file.write_text("")
    file.with_name("local.json.bak").write_text("")
    assert keep(tmp_path) == ["local"]
    assert file.read_text() == WHOLE


def test_an_unreadable_state_never_replaces_the_checked_copy(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=None)
    keep(tmp_path)
    file.write_text("{")
    keep(tmp_path)
    assert file.with_name("local.json.checked").read_text() == WHOLE


def test_other_stacks_and_projects_of_a_shared_backend_are_left_alone(tmp_path: Path) -> None:
    file = write_state(tmp_path, state=WHOLE, backup=OLDER)
    for name in ("prod.json", "local.json"):
        other = file.with_name(name) if name == "prod.json" else tmp_path / ".pulumi/stacks/shop/local.json"
        other.parent.mkdir(exist_ok=True)
        other.write_text("{")
        other.with_name(name + ".bak").write_text(OLDER)
        assert keep(tmp_path) == []
        assert other.read_text() == "{"


@pytest.mark.parametrize(
    ("holder", "left_alone"),
    [
        ({"pid": os.getpid(), "hostname": socket.gethostname()}, True),
        ({"pid": 2**22 + 1, "hostname": socket.gethostname()}, False),
        ({"pid": 2**22 + 1, "hostname": "another-machine"}, True),
        ({}, False),
    ],
    ids=["a run on this machine", "a run that was killed here", "a run elsewhere", "a lock that was never written"],
)
def test_a_state_that_another_run_may_be_writing_is_left_alone(
    tmp_path: Path, holder: dict[str, object], *, left_alone: bool
) -> None:
    file = write_state(tmp_path, state="{", backup=OLDER)
    lock = tmp_path / ".pulumi/locks/organization/photo-splat/local/1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(holder) if holder else "")
    assert keep(tmp_path) == ([] if left_alone else ["local"])
    assert (file.read_text() == "{") == left_alone


@pytest.mark.parametrize(
    ("url", "login", "folder"),
    [
        ("file:///state", "", "/state"),
        ("file:///state?no_tmp_dir=true", "file:///other", "/state"),
        ("", "file://~/state", "~/state"),
        ("s3://state", "file:///other", None),
        ("", "https://api.pulumi.com", None),
        ("", "", None),
    ],
)
def test_the_file_backend_is_found_as_the_engine_finds_it(
    tmp_path: Path, url: str, login: str, folder: str | None
) -> None:
    if login:
        (tmp_path / "credentials.json").write_text(json.dumps({"current": login}))
    found = file_backend({"PULUMI_BACKEND_URL": url, "PULUMI_HOME": str(tmp_path)}.__getitem__)
    assert found == (Path(folder).expanduser() if folder else None)
