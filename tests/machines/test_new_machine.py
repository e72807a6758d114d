"""The two commands of the README on machines that have nothing else: other Pythons, a folder with a space, an umlaut
and a quote, umask 077, an empty home, no root. And what a person reads when the machine or the network fails."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .machine import HOME, PROJECT, USER_ID, Finished, Machine

SET_UP_LIMIT_S = 2400
# 16 s on two quiet cores; the limit of a busy machine.
SECOND_UP_LIMIT_S = 60
WITH_FAST_TESTS = "trixie"
# One machine shows them all.
on_one_machine = pytest.mark.parametrize("machine", ["bookworm"], indirect=True, scope="module")


def green(finished: Finished) -> str:
    assert finished.code == 0, finished.output[-6000:]
    return finished.output


def test_a_newcomer_gets_a_scene_opens_it_and_leaves_nothing_behind(machine: Machine) -> None:
    first = green(machine.run("make", "up", limit_s=SET_UP_LIMIT_S))
    assert re.search(r"Setting up in this folder: about \d+ min and \d+ GB the first time\.", first)
    assert "Photos registered       24 of 24" in first

    began = time.monotonic()
    second = green(machine.run("make", "up", limit_s=300))
    assert time.monotonic() - began < SECOND_UP_LIMIT_S
    assert "Setting up" not in second

    link = green(machine.run(".venv/bin/splat", "open", limit_s=60)).split()[-1]
    with httpx.Client(follow_redirects=True, timeout=30) as browser:
        page = browser.get(link)
        assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
        assert browser.get(httpx.URL(link).join("/api/projects")).json()["projects"], "not signed in, or no scene"

    green(machine.run("make", "down", limit_s=300))
    assert not machine.host_path(PROJECT / ".local").exists()
    assert machine.processes() == []
    assert written_outside(machine) == set()

    if machine.suite == WITH_FAST_TESTS:
        green(machine.run("make", "test-fast", limit_s=SET_UP_LIMIT_S))


def written_outside(machine: Machine) -> set[str]:
    """What set-up and stack wrote into the home beside the checkout; the caches are elsewhere here, so none of them."""
    home = machine.host_path(HOME)
    return {path.name for path in home.iterdir()} - {PROJECT.relative_to(HOME).parts[0]}


@pytest.fixture
def second_clone(machine: Machine) -> Iterator[Path]:
    """Another folder of the same user, with nothing set up."""
    folder = HOME / "second"
    machine.clone(Path(__file__).parents[2], to=folder)
    yield folder
    machine.as_root("rm", "-rf", str(machine.host_path(folder)))


def set_up(machine: Machine, folder: Path, **more: Any) -> Finished:
    return machine.run("scripts/bootstrap", "--deploy-only", folder=folder, limit_s=SET_UP_LIMIT_S, **more)


def hint(finished: Finished) -> str:
    """The last line, which is the next step; nothing else of ours may follow or precede it as a traceback."""
    assert finished.code == 1, finished.output
    assert "Traceback" not in finished.output
    last = finished.output.rstrip().splitlines()[-1]
    assert last.startswith("hint: "), finished.output
    return last


@on_one_machine
def test_without_network_it_names_the_network_and_continues_later(machine: Machine, second_clone: Path) -> None:
    empty = {"PIP_CACHE_DIR": "/tmp/pip", "UV_CACHE_DIR": "/tmp/uv"}
    assert "registries (PyPI, npm, Go proxy) cannot be reached" in hint(
        set_up(machine, second_clone, network=False, environment=empty)
    )
    green(set_up(machine, second_clone))


@on_one_machine
@pytest.mark.parametrize("lock", ["requirements/bootstrap.txt", "requirements/deploy.txt"])
def test_a_package_with_another_hash_is_refused(machine: Machine, second_clone: Path, lock: str) -> None:
    """pip installs the first, uv the second."""
    file = machine.host_path(second_clone / lock)
    file.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", file.read_text()))
    assert "not the file that the lock file names" in hint(set_up(machine, second_clone))


@on_one_machine
def test_an_npm_package_with_another_hash_is_refused(machine: Machine, second_clone: Path) -> None:
    file = machine.host_path(second_clone / "edge_worker/package-lock.json")
    file.write_text(re.sub(r'"sha512-.{8}', '"sha512-AAAAAAAA', file.read_text()))
    assert "not the file that the lock file names" in hint(set_up(machine, second_clone))


@on_one_machine
def test_a_disk_that_fills_up_is_named(machine: Machine, second_clone: Path) -> None:
    """Too small a disk is refused before the first download; one that others fill meanwhile fails in the middle."""
    tools = machine.host_path(second_clone / ".tools")
    tools.mkdir()
    machine.as_root("mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", str(tools))
    try:
        assert "the disk is full" in hint(set_up(machine, second_clone))
    finally:
        machine.as_root("umount", str(tools))


@on_one_machine
def test_a_folder_of_root_s_is_named(machine: Machine, second_clone: Path) -> None:
    """What `sudo make up` leaves behind."""
    tools = machine.host_path(second_clone / ".tools")
    tools.mkdir(mode=0o755)
    assert "this user may not write there" in hint(set_up(machine, second_clone))
    machine.as_root("chown", "-R", f"{USER_ID}:{USER_ID}", str(tools))
    green(set_up(machine, second_clone))
