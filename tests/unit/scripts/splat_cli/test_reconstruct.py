"""The order of calls of `splat reconstruct` and what Ctrl-C undoes, against a scripted edge."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Project
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.reconstruct import note, reconstruct

CONTRACTS = Path(__file__).parents[4] / "docs/contracts"
PROJECT: dict[str, Any] = json.loads((CONTRACTS / "project.json").read_text())
REPORT: dict[str, Any] = json.loads((CONTRACTS / "job-report.json").read_text())
FAILURE: dict[str, Any] = json.loads((CONTRACTS / "job-failure.json").read_text())
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 40


class Edge:
    """Answers like the API and records the calls. states: one for each query of the project."""

    def __init__(self, states: list[dict[str, Any]], *, interrupt_at: str = "", refuse: str = "") -> None:
        self.calls: list[str] = []
        self.states = states
        self.interrupt_at = interrupt_at
        self.refuse = refuse

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self.calls.append(call)
        if call == self.interrupt_at:
            raise KeyboardInterrupt
        if call == self.refuse:
            return httpx.Response(418)
        path = request.url.path
        if path == "/api/settings":
            limits = {"photos_min": 5, "photos_max": 400, "photo_bytes_max": 25_000_000}
            return httpx.Response(200, json={"limits": limits, "presets": ["preview", "standard"]})
        if path == "/api/projects":
            return httpx.Response(201, json={**PROJECT, "id": "p_1", "state": "new", "progress": None})
        if path == "/api/projects/p_1/photos" and request.method == "POST":
            wanted = json.loads(request.content)["photos"]
            uploads = [
                {"name": w["name"], "as": w["name"], "url": f"http://s3.test/{w['name']}", "headers": {}}
                for w in wanted
            ]
            return httpx.Response(201, json={"uploads": uploads})
        if path == "/api/projects/p_1/photos":
            return httpx.Response(200, json={"photos": [{"name": "a.jpg", "as": "0001.jpg", "uploaded": True}]})
        if path in ("/api/projects/p_1/estimate", "/api/estimate"):
            return httpx.Response(200, json={"seconds": 130, "usd": 0.0403, "basis": "20 photos"})
        if path == "/api/projects/p_1" and request.method == "GET":
            state = self.states.pop(0)
            return httpx.Response(200, json={**PROJECT, "id": "p_1", **state})
        return httpx.Response(200, json={**PROJECT, "id": "p_1"})


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(6):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG + bytes([number]))
    return tmp_path


def run(edge: Edge, photos: Path, *, preset: str = "preview") -> tuple[dict[str, Any], str]:
    out = io.StringIO()
    client = EdgeClient("http://edge.test", "t", transport=httpx.MockTransport(edge), sleep=lambda _: None)
    console = Console(file=out, width=120)
    done = reconstruct(client, photos, name="n", preset=preset, console=console, sleep=lambda _: None)
    return done.report or {}, out.getvalue()


def at(stage: str) -> dict[str, Any]:
    return {"state": "running", "progress": {"stage": stage, "fraction": 0.5, "message": "half"}}


def test_a_job_is_followed_through_its_stages_to_the_report(photos: Path) -> None:
    edge = Edge([{"state": "queued", "progress": None}, at("sfm"), at("train"), {"state": "done", "report": REPORT}])
    report, said = run(edge, photos)
    assert report["metrics"]["psnr_db"] == 26.41
    words = [line.strip().split("  ")[0] for line in said.splitlines() if "done in" in line]
    assert words == ["uploading photos", "waiting for a worker", "finding camera poses", "training Gaussians"]
    assert "about 2 min 10 s and $0.0403" in said
    puts = [call for call in edge.calls if call.startswith("PUT")]
    assert sorted(puts) == [f"PUT /{number}.jpg" for number in range(6)]
    assert edge.calls.index("POST /api/projects/p_1/jobs") > edge.calls.index("GET /api/projects/p_1/photos")


def test_a_job_that_waits_shows_why(photos: Path) -> None:
    notice = {"message": "RunPod is busy. The next try is in 20 s.", "hint": None, "until": "2026-11-23T16:53:02Z"}
    waits = Project.model_validate({"id": "p_1", "name": "n", "state": "queued", "notice": notice})
    assert note(waits) == "RunPod is busy. The next try is in 20 s."
    lost = {**notice, "message": "RunPod did not confirm the start.", "hint": "It ends at 12:34 UTC."}
    waits = Project.model_validate({"id": "p_1", "name": "n", "state": "queued", "notice": lost})
    assert note(waits) == "RunPod did not confirm the start. It ends at 12:34 UTC."


def test_a_failed_job_ends_with_the_workers_message(photos: Path) -> None:
    message = FAILURE["error"]["message"] + " 0001.jpg: The file is empty."
    edge = Edge([{"state": "failed", "error": {**FAILURE["error"], "message": message}}])
    with pytest.raises(CommandError) as caught:
        run(edge, photos)
    assert caught.value.exit_code == 1, "photos that do not suffice are the user's to fix"
    assert "a.jpg: The file is empty." in caught.value.message, "the service's name for the photo was shown"
    assert "3 of 4 photos are usable" in caught.value.message
    assert "[TOO_FEW_PHOTOS]" in caught.value.message
    assert caught.value.hint.startswith("Add photos")


def test_an_interrupt_during_the_upload_removes_the_project(photos: Path) -> None:
    edge = Edge([], interrupt_at="GET /api/projects/p_1/estimate")
    with pytest.raises(KeyboardInterrupt):
        run(edge, photos)
    assert edge.calls[-1] == "DELETE /api/projects/p_1"


def test_an_unknown_preset_is_rejected_before_anything_is_created(photos: Path) -> None:
    edge = Edge([])
    with pytest.raises(CommandError, match="There is no preset 'best'") as caught:
        run(edge, photos, preset="best")
    assert caught.value.hint == "choose one of preview, standard"
    assert edge.calls == ["GET /api/settings"]


def test_a_failure_before_the_start_removes_the_project(photos: Path) -> None:
    edge = Edge([], refuse="GET /api/projects/p_1/estimate")
    with pytest.raises(ServiceError, match="418"):
        run(edge, photos)
    assert edge.calls[-1] == "DELETE /api/projects/p_1"


def test_an_interrupt_during_the_job_cancels_it(photos: Path) -> None:
    edge = Edge([], interrupt_at="GET /api/projects/p_1")
    with pytest.raises(KeyboardInterrupt):
        run(edge, photos)
    assert edge.calls[-1] == "POST /api/projects/p_1/jobs/cancel"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda stop: stop.name)
def test_every_stop_signal_cancels_the_job_of_the_command(photos: Path, stop: signal.Signals) -> None:
    edge = Edge([])
    watched = threading.Event()

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path == "/api/projects/p_1":
                edge.states.append(at("train"))
                watched.set()
            url = f"http://{self.headers['host']}{self.path}"
            answer = edge(httpx.Request(self.command, url, content=content))
            body = answer.content.replace(b"http://s3.test", f"http://{self.headers['host']}".encode())
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            """Keeps the test's own stderr clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # A shell's background job ignores Ctrl-C, nohup a closed terminal, and children inherit both.
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        )
        command = subprocess.Popen(
            [
                sys.executable,
                "-c",
                code + "from scripts.splat_cli.main import main; main()",
                "reconstruct",
                str(photos),
            ],
            cwd=CONTRACTS.parents[1],
            env={**os.environ, "SPLAT_URL": f"http://127.0.0.1:{server.server_port}", "SPLAT_TOKEN": "token"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watched.wait(60)
            command.send_signal(stop)
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
            server.shutdown()
    assert edge.calls[-1] == "POST /api/projects/p_1/jobs/cancel", said
    assert command.returncode == 130
    assert "Stopped." in said
