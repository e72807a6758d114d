"""The supervisor with real processes: what starts, what a failure reports, and that every process ends."""

from __future__ import annotations

import os
import signal
import stat
import textwrap
import time
from pathlib import Path

import pytest

from local_cloud import supervisor
from local_cloud.addresses import Ports, StateFolder
from local_cloud.supervisor import Keys, Service, StartFailed

SERVER = """
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def checkout(tmp_path: Path, *, broken: bool = False) -> Path:
    """A checkout whose stand-ins are two tiny servers, started as the real ones are."""
    (tmp_path / "local_cloud").symlink_to(Path(supervisor.__file__).parent)
    (tmp_path / "fake").mkdir()
    server = tmp_path / "fake/server.py"
    server.write_text("raise SystemExit('the port map is upside down')" if broken else SERVER)
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(
            f"""
            import sys
            if "local_cloud" in getattr(sys, "orig_argv", []):
                from local_cloud import supervisor
                from local_cloud.supervisor import Service
                def fakes(state, ports, *, root, credentials):
                    return [Service(name=name, command=[sys.executable, {str(server)!r}, str(port)], environment={{}},
                                    health_url=f"http://127.0.0.1:{{port}}/")
                            for name, port in (("runpod", ports.runpod), ("cloudflare", ports.control))]
                supervisor.services = fakes
            """
        )
    )
    return tmp_path


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(root=tmp_path / "local")


def start(state: StateFolder, root: Path, monkeypatch: pytest.MonkeyPatch) -> supervisor.Addresses:
    monkeypatch.setenv("PYTHONPATH", str(root))
    return supervisor.start(state, root=root)


def test_both_servers_start_once_and_end_together(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout(tmp_path)
    state.logs.mkdir(parents=True, mode=0o755)  # as an earlier release left it
    first = start(state, root, monkeypatch)
    try:
        assert start(state, root, monkeypatch) == first
        assert supervisor.is_running(state)
        assert [stat.S_IMODE(one.stat().st_mode) for one in (state.root, state.logs)] == [0o700, 0o700]
    finally:
        assert supervisor.stop(state)
    assert not supervisor.is_running(state)
    assert not alive(first.supervisor_pid) or os.waitpid(first.supervisor_pid, os.WNOHANG)
    assert not supervisor.stop(state)


def test_a_server_that_fails_to_start_is_reported_with_its_log_and_the_other_ends_too(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout(tmp_path, broken=True)
    with pytest.raises(StartFailed, match="the port map is upside down"):
        start(state, root, monkeypatch)
    assert not supervisor.is_running(state)
    assert not state.cloud_file.exists()


def test_a_server_that_dies_later_ends_the_whole_local_cloud(
    tmp_path: Path, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    root = checkout(tmp_path)
    start(state, root, monkeypatch)
    pids = json.loads(state.cloud_file.read_text())
    os.kill(pids["runpod"]["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while supervisor.is_running(state) or alive(pids["cloudflare"]["pid"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not state.cloud_file.exists()


def test_a_missing_tool_is_reported_with_the_command_that_installs_it(state: StateFolder, tmp_path: Path) -> None:
    service = Service(name="x", command=[str(tmp_path / "node")], environment={}, health_url="")
    with (
        pytest.raises(StartFailed, match=r"is not installed\. Run scripts/bootstrap"),
        supervisor._running(service, state, root=tmp_path),
    ):
        pass


def test_keys_are_generated_once_and_only_their_owner_can_read_them(state: StateFolder) -> None:
    first = supervisor.keys(state)
    assert supervisor.keys(state) == first
    assert state.keys_file.stat().st_mode & 0o777 == 0o600
    assert 40 <= len(first.cloudflare_api_token) <= 80


def test_the_real_commands_carry_no_key_in_their_arguments(state: StateFolder, tmp_path: Path) -> None:
    secret = Keys(runpod_api_key="rpa_secret", cloudflare_api_token="cf_secret")
    ports = Ports(app=1, runpod=2, control=3)
    for service in supervisor.services(state, ports, root=tmp_path, credentials=secret):
        assert "secret" not in " ".join(service.command)
        assert "secret" in "".join(service.environment.values())
