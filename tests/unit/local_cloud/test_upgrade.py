"""`make up` after a pull restarts stand-ins that run from older sources, and only those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_cloud import supervisor
from local_cloud.addresses import StateFolder


class Stopped(Exception):
    """Ends the test: the running stand-ins got the request to stop."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    """A local cloud that looks as if it ran from the sources below tmp_path/checkout."""
    (tmp_path / "checkout/local_cloud").mkdir(parents=True)
    (tmp_path / "checkout/local_cloud/server.py").write_text("VERSION = 1\n")
    state = StateFolder(root=tmp_path / "state")
    state.root.mkdir()

    def stop(_: StateFolder) -> bool:
        raise Stopped

    monkeypatch.setattr(supervisor, "is_running", lambda _: True)
    monkeypatch.setattr(supervisor, "stop", stop)
    return state


def describe(state: StateFolder, code: str | None) -> None:
    cloud = {
        "supervisor": {"pid": 1},
        "runpod": {"url": "http://r"},
        "cloudflare": {"url": "http://a", "control_url": "http://c"},
    }
    state.cloud_file.write_text(json.dumps({**cloud, **({"code": code} if code else {})}))


def test_stand_ins_of_the_same_sources_are_used_as_they_run(tmp_path: Path, state: StateFolder) -> None:
    describe(state, supervisor.code(tmp_path / "checkout"))
    assert supervisor.start(state, root=tmp_path / "checkout").app_url == "http://a"


@pytest.mark.parametrize("known", [True, False])
def test_stand_ins_of_other_sources_are_stopped(tmp_path: Path, state: StateFolder, known: bool) -> None:
    describe(state, supervisor.code(tmp_path / "checkout") if known else None)
    (tmp_path / "checkout/local_cloud/server.py").write_text("VERSION = 2\n")
    with pytest.raises(Stopped):
        supervisor.start(state, root=tmp_path / "checkout")
