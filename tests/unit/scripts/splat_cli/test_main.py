"""The command as people meet it: exit codes, words on stderr, and nothing but data on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
RUNNING = json.loads((ROOT / "docs/contracts/project.json").read_text())
REPORT = json.loads((ROOT / "docs/contracts/job-report.json").read_text())
FAILED = {**RUNNING, "state": "failed", "progress": None, "name": "Teapot"} | {
    "error": {
        "code": "SFM_FAILED",
        "message": "The photos do not fit together.",
        "hint": "overlap them more",
        "stage": "sfm",
    }
}
DONE = {**RUNNING, "state": "done", "progress": None, "report": REPORT, "name": "Done one"}


def splat(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "from scripts.splat_cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "SPLAT_LOCAL_STATE": "/nonexistent/splat", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unknown_stack_names_those_that_exist() -> None:
    done = splat("up", "--stack", "staging")
    assert done.returncode == 1
    assert "There is no stack 'staging'" in done.stderr
    assert "local" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["outputs", "scenes", "open"])
def test_commands_that_need_a_deployment_say_how_to_get_one(command: str) -> None:
    done = splat(command)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The local stack is not deployed.", "hint: make up"]


def test_a_wrong_option_is_the_users_fault_and_shows_the_usage() -> None:
    done = splat("reconstruct", "--no-such-option")
    assert done.returncode == 1
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_half_an_address_in_the_environment_is_refused() -> None:
    done = splat("scenes", SPLAT_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "SPLAT_TOKEN is not set" in done.stderr


def test_a_service_that_does_not_answer_is_not_the_users_fault() -> None:
    done = splat("scenes", SPLAT_URL="http://127.0.0.1:9", SPLAT_TOKEN="token")
    assert done.returncode == 2
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_is_in_the_operations_page() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    listed = [
        line.split()[0]
        for line in splat("--help").stdout.splitlines()
        if line.startswith("  ") and "  " in line.strip()
    ]
    commands = [name for name in listed if not name.startswith("-")]
    assert len(commands) >= 8
    assert [name for name in commands if f"splat {name}" not in page] == []


@pytest.fixture
def edge() -> Iterator[tuple[dict[str, str], list[str]]]:
    """An edge that knows three projects, over real HTTP: how to reach it, and the calls that it got."""
    calls: list[str] = []
    projects = {"p_running": RUNNING, "p_failed": FAILED, "p_done": DONE}

    class Edge(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(f"{self.command} {self.path}")
            name = self.path.split("/")[3] if self.path.count("/") > 2 else ""
            if self.path == "/api/projects":
                listed = [{**item, "id": id_, "report": None} for id_, item in projects.items()]
                self._answer(200, {"projects": listed, "cursor": None})
            elif self.path.endswith("/photos"):
                self._answer(200, {"photos": []})
            elif name in projects:
                self._answer(200, {**projects[name], "id": name})
            else:
                self._answer(404, {"error": {"code": "NOT_FOUND", "message": "This project does not exist."}})

        do_DELETE = do_GET

        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing on the test's own stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Edge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"SPLAT_URL": f"http://127.0.0.1:{server.server_port}", "SPLAT_TOKEN": "token"}, calls
    server.shutdown()
    server.server_close()


Edge = tuple[dict[str, str], list[str]]


def test_scenes_are_one_line_each_with_day_and_photos(edge: Edge) -> None:
    done = splat("scenes", **edge[0])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["p_running", "running"],
        ["p_failed", "failed"],
        ["p_done", "done"],
    ]
    assert all(RUNNING["created_at"][:10] in line and f"{RUNNING['photos']['count']} photos" in line for line in lines)


def test_show_prints_the_report_or_where_it_stands_or_why_it_failed(edge: Edge) -> None:
    whole = splat("show", "p_done", **edge[0])
    assert whole.returncode == 0
    assert "26.41 dB" in whole.stderr
    running = splat("show", "p_running", **edge[0])
    assert (running.returncode, running.stderr.strip()) == (
        0,
        f"{RUNNING['name']}: running, {RUNNING['progress']['stage']} {RUNNING['progress']['fraction']:.0%}",
    )
    failed = splat("show", "p_failed", **edge[0])
    assert failed.returncode == 1
    assert failed.stderr.splitlines() == ["Teapot: The photos do not fit together.", "hint: overlap them more"]
    assert json.loads(splat("show", "p_done", "--json", **edge[0]).stdout)["report"] == REPORT


def test_delete_asks_first_and_where_nobody_can_be_asked_wants_yes(edge: Edge) -> None:
    environment, calls = edge
    refused = splat("delete", "p_done", **environment)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == "hint: add --yes to go ahead"
    assert not [call for call in calls if call.startswith("DELETE")]
    done = splat("delete", "p_done", "--yes", **environment)
    assert (done.returncode, done.stderr.strip()) == (0, "Deleted Done one.")
    assert calls[-1] == "DELETE /api/projects/p_done"


def test_a_scene_that_is_not_there_is_told(edge: Edge) -> None:
    done = splat("delete", "p_none", "--yes", **edge[0])
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_a_port_that_no_machine_has_is_refused_before_anything_is_started() -> None:
    done = splat("up", "--port", "99999")
    assert done.returncode == 1
    assert "Invalid value for '--port'" in done.stderr
    assert "65535" in done.stderr
