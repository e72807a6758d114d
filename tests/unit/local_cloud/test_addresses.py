"""Ports and state of the local cloud."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.addresses import (
    HOST,
    PortInUse,
    StateFolder,
    choose_ports,
    is_free,
    private_folder,
    read_addresses,
    write_private,
)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_requested_port_in_use_is_reported_with_its_number(tmp_path: Path, taken_port: int) -> None:
    with pytest.raises(PortInUse, match=f"Port {taken_port} is in use"):
        choose_ports(StateFolder(root=tmp_path), app_port=taken_port)


def test_the_ports_of_the_last_start_are_used_again(tmp_path: Path) -> None:
    state = StateFolder(root=tmp_path)
    first = choose_ports(state)
    write_private(state.ports_file, json.dumps({"app": first.app, "runpod": first.runpod, "control": first.control}))
    assert choose_ports(state) == first


def test_a_port_of_the_last_start_that_is_in_use_is_replaced(tmp_path: Path, taken_port: int) -> None:
    state = StateFolder(root=tmp_path)
    write_private(state.ports_file, json.dumps({"app": taken_port, "runpod": taken_port, "control": taken_port}))
    ports = choose_ports(state)
    assert taken_port not in {ports.app, ports.runpod, ports.control}
    assert len({ports.app, ports.runpod, ports.control}) == 3
    assert all(is_free(port) for port in (ports.app, ports.runpod, ports.control))


@pytest.mark.parametrize("content", ["", "{", "{}", '{"app": "x"}'])
def test_a_damaged_ports_file_is_ignored(tmp_path: Path, content: str) -> None:
    state = StateFolder(root=tmp_path)
    state.ports_file.write_text(content)
    assert choose_ports(state).app > 0


def test_only_its_owner_can_read_a_private_file(tmp_path: Path) -> None:
    write_private(tmp_path / "deep/keys.json", "{}")
    assert (tmp_path / "deep/keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["keys.json"]


def test_only_its_owner_can_open_a_private_folder_also_one_that_was_open(tmp_path: Path) -> None:
    for folder in (tmp_path / "new" / "state", tmp_path / "open"):
        if folder.name == "open":
            folder.mkdir(mode=0o755)
        private_folder(folder)
        private_folder(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_before_the_first_start_there_are_no_addresses(tmp_path: Path) -> None:
    assert read_addresses(StateFolder(root=tmp_path)) is None
