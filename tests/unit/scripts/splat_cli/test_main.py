"""The command line as a user sees it: exit codes, messages on stderr, and only data on stdout."""

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


def test_an_unknown_stack_is_rejected_with_the_names_that_exist() -> None:
    done = splat("up", "--stack", "staging")
    assert done.returncode == 1
    assert "There is no stack 'staging'" in done.stderr
    assert "local" in done.stderr.splitlines()[-1]
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["outputs", "scenes", "open"])
def test_a_command_that_needs_a_deployment_names_the_command_that_makes_one(command: str) -> None:
    done = splat(command)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The local stack is not deployed.", "hint: make up"]


def test_a_wrong_option_exits_with_1_and_shows_the_usage() -> None:
    done = splat("reconstruct", "--no-such-option")
    assert done.returncode == 1
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_without_a_token_is_rejected() -> None:
    done = splat("scenes", SPLAT_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "SPLAT_TOKEN is not set" in done.stderr


def test_a_service_that_does_not_answer_exits_with_2() -> None:
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


REPORT_OF_EDIT = {"metrics": {"gaussians": 90}, "edited": {"gaussians_before": 400}}
NOTHING_LEFT = {
    "code": "BAD_INPUT",
    "message": "edit.crops.0: nothing of the scene is left.",
    "hint": "Undo this crop.",
}
edited: dict[str, object] = {}
"""What becomes of the scene when its edit is applied."""


@pytest.fixture
def edge() -> Iterator[tuple[dict[str, str], list[str]]]:
    """An edge with three projects over real HTTP. Returns its environment and the calls it received."""
    calls: list[str] = []
    projects = {"p_running": RUNNING, "p_failed": FAILED, "p_done": DONE}

    class Edge(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(f"{self.command} {self.path}")
            name = self.path.split("/")[3] if self.path.count("/") > 2 else ""
            if self.path == "/api/projects":
                listed = [{**item, "id": id_, "report": None} for id_, item in projects.items()]
                self._answer(200, {"projects": listed, "cursor": None})
            elif self.path.endswith("/edit/estimate"):
                self._answer(200, {"seconds": 9.4, "usd": 0.003, "basis": ""})
            elif self.path.endswith("/photos"):
                self._answer(200, {"photos": []})
            elif name in projects:
                self._answer(200, {**projects[name], "id": name})
            else:
                self._answer(404, {"error": {"code": "NOT_FOUND", "message": "This project does not exist."}})

        do_DELETE = do_GET

        def do_PUT(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            calls.append(f"{self.command} {self.path} {json.dumps(sent)}")
            self._answer(200, {**DONE, "id": "p_done", "edit": sent, "edits": 1})

        def do_POST(self) -> None:
            calls.append(f"{self.command} {self.path}")
            if self.path.endswith("/edit/apply"):
                projects["p_done"] = {**DONE, **edited}
                self._answer(202, {**DONE, "id": "p_done", "state": "queued", "attempt": 2, "shown": 1})
            else:
                self._answer(200, {**DONE, "id": "p_done", "edit": None, "edits": 2})

        def _answer(self, status: int, body: object) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Keeps the test's own stderr clean."""

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


def test_show_prints_the_report_or_the_progress_or_the_error(edge: Edge) -> None:
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


def test_delete_needs_yes_without_a_terminal(edge: Edge) -> None:
    environment, calls = edge
    refused = splat("delete", "p_done", **environment)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == "hint: add --yes to delete it"
    assert not [call for call in calls if call.startswith("DELETE")]
    done = splat("delete", "p_done", "--yes", **environment)
    assert (done.returncode, done.stderr.strip()) == (0, "Deleted Done one.")
    assert calls[-1] == "DELETE /api/projects/p_done"


def test_an_edit_is_stored_shown_and_undone(edge: Edge, tmp_path: Path) -> None:
    environment, calls = edge
    recipe = ROOT / "docs/contracts/edit.json"
    stored = splat("edit", "p_done", str(recipe), "--keep-files", **environment)
    assert (stored.returncode, stored.stderr.strip()) == (0, "The edit is saved. The scene's files stay as they are.")
    (sent,) = [call for call in calls if call.startswith("PUT")]
    address, _, body = sent.partition(" {")
    assert address == "PUT /api/projects/p_done/edit"
    assert json.loads("{" + body) == json.loads(recipe.read_text())
    undone = splat("edit", "p_done", "--undo", **environment)
    assert undone.stderr.strip() == "The last edit is undone. 2 can still be undone."
    assert splat("edit", "p_done", "--show", **environment).stdout.strip() == "null"
    nothing = splat("edit", "p_done", "--out", str(tmp_path), **environment)
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (1, "Scene p_done has no edit.")
    both = splat("edit", "p_done", str(recipe), "--undo", **environment)
    assert both.stderr.splitlines()[-1] == "hint: give RECIPE, --undo, --show or --out DIR"


@pytest.mark.parametrize(
    ("end", "status", "words"),
    [
        ({"shown": 2, "report": REPORT_OF_EDIT}, 0, "The files carry the edit: 90 of 400 Gaussians are left."),
        ({"shown": 1, "error": NOTHING_LEFT}, 1, "edit.crops.0: nothing of the scene is left. [BAD_INPUT]"),
        ({"shown": 1, "error": None}, 1, "The edit was cancelled. The files stay as they are."),
    ],
    ids=["applied", "fails", "cancelled"],
)
def test_an_edit_is_applied_by_a_job_that_the_command_follows(
    edge: Edge, end: dict[str, object], status: int, words: str
) -> None:
    environment, calls = edge
    edited.clear()
    edited.update({"attempt": 2, **end})
    done = splat("edit", "p_done", str(ROOT / "docs/contracts/edit.json"), "--also", "glb", **environment)
    assert (done.returncode, words in done.stderr) == (status, True), done.stderr
    assert "about 9 s and $0.003" in done.stderr
    assert [call for call in calls if call.startswith("POST")] == ["POST /api/projects/p_done/edit/apply"]


def test_deleting_a_missing_scene_is_an_error(edge: Edge) -> None:
    done = splat("delete", "p_none", "--yes", **edge[0])
    assert done.returncode == 1
    assert "does not exist" in done.stderr


def test_an_invalid_port_is_rejected_before_anything_starts() -> None:
    done = splat("up", "--port", "99999")
    assert done.returncode == 1
    assert "Invalid value for '--port'" in done.stderr
    assert "65535" in done.stderr
