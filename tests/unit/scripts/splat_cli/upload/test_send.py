"""A clip goes up in parts, and the same command continues an upload that was stopped. The edge is scripted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Project
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.reconstruct import reconstruct
from scripts.splat_cli.upload.send import KEPT
from tests.unit.scripts.splat_cli.test_photos import clip_of

CONTRACTS = Path(__file__).parents[5] / "docs/contracts"
PROJECT: dict[str, Any] = json.loads((CONTRACTS / "project.json").read_text())
REPORT: dict[str, Any] = json.loads((CONTRACTS / "job-report.json").read_text())
PART_BYTES = 100


class Edge:
    """Keeps one project with one clip, as the API does. fault: answers a call before it takes effect."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.declared: dict[str, Any] | None = None
        self.parts: dict[int, bytes] = {}
        self.reported: dict[int, str] = {}
        self.film: bytes | None = None
        self.name = ""
        self.fault: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self.calls.append(call)
        fault = self.fault.pop(call, None)
        if isinstance(fault, BaseException):
            raise fault
        if isinstance(fault, int):
            return httpx.Response(fault)
        body = json.loads(request.content) if request.url.path.startswith("/api/") and request.content else {}
        return httpx.Response(200, **self.answer(call, request, body))

    def answer(self, call: str, request: httpx.Request, body: dict[str, Any]) -> dict[str, Any]:
        if call.startswith("PUT /part/"):
            number = int(request.url.path.rsplit("/", 1)[1])
            self.parts[number] = request.content
            return {"headers": {"etag": f'"e{number}"'}}
        return {"json": self.api(call, body)}

    def api(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        if call == "GET /api/settings":
            limits = {"photos_min": 5, "photos_max": 400, "photo_bytes_max": 25_000_000}
            return {"limits": limits, "presets": ["preview"]}
        if call == "POST /api/projects":
            self.name = body["name"]
        if call == "GET /api/projects":
            return {"projects": [self.project()] if self.name else []}
        if call == "POST /api/projects/p_1/photos":
            [self.declared] = body["photos"]
            return {"uploads": [{"name": self.declared["name"], "as": "0001.mp4", "method": "PARTS"}]}
        if call == "GET /api/projects/p_1/photos":
            listed = [] if self.declared is None else [{**self.declared, "as": "0001.mp4"}]
            return {"photos": [{**one, "uploaded": self.film is not None} for one in listed]}
        if call == "POST /api/projects/p_1/photos/0001.mp4/parts":
            return self.next_parts(body["stored"])
        if call.endswith("/estimate"):
            return {"seconds": 130, "usd": 0.0403, "basis": "40 frames"}
        return self.project()

    def project(self) -> dict[str, Any]:
        done = "POST /api/projects/p_1/jobs" in self.calls
        state = {"state": "done", "report": REPORT} if done else {"state": "uploading", "attempt": 0}
        return {**PROJECT, "id": "p_1", "name": self.name, **state}

    def next_parts(self, stored: list[dict[str, Any]]) -> dict[str, Any]:
        assert self.declared is not None
        self.reported |= {one["number"]: one["etag"] for one in stored}
        count = -(-self.declared["bytes"] // PART_BYTES)
        missing = [number for number in range(1, count + 1) if number not in self.reported][:4]
        if not missing:
            self.film = b"".join(self.parts[number] for number in range(1, count + 1))
        parts = [
            {"number": number, "offset": PART_BYTES * (number - 1), "url": f"http://s3.test/part/{number}"}
            | {"bytes": min(PART_BYTES, self.declared["bytes"] - PART_BYTES * (number - 1))}
            for number in missing
        ]
        return {"stored": PART_BYTES * len(self.reported), "parts": parts, "complete": not missing}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    path.write_bytes(clip_of(20))
    return path


def run(edge: Edge, clip: Path) -> tuple[Project, str]:
    out = io.StringIO()
    client = EdgeClient("http://edge.test", "t", transport=httpx.MockTransport(edge), sleep=lambda _: None)
    console = Console(file=out, width=120)
    try:
        done = reconstruct(client, clip, name="walk", preset="preview", console=console, sleep=lambda _: None)
    except BaseException as error:
        error.add_note(out.getvalue())
        raise
    return done, out.getvalue()


def test_a_clip_goes_up_in_parts_and_arrives_byte_by_byte(clip: Path) -> None:
    edge = Edge()
    done, said = run(edge, clip)
    assert done.state == "done"
    assert edge.film == clip.read_bytes()
    assert edge.declared is not None
    assert edge.declared["seconds"] == 20
    assert len([call for call in edge.calls if call.startswith("PUT")]) == len(edge.parts)
    assert "up to 40 frames of 1 clip" in said


@pytest.mark.parametrize("struck", ["PUT /part/6", "POST /api/projects/p_1/photos/0001.mp4/parts"])
def test_a_part_that_fails_for_a_moment_is_sent_again(clip: Path, struck: str) -> None:
    edge = Edge()
    edge.fault[struck] = 503
    run(edge, clip)
    assert edge.film == clip.read_bytes()


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), httpx.ConnectError("lost")], ids=["Ctrl-C", "no network"])
def test_the_same_command_continues_an_upload_that_was_stopped(clip: Path, stop: BaseException) -> None:
    edge = Edge()
    edge.fault = {"PUT /part/7": stop} if isinstance(stop, KeyboardInterrupt) else {}
    if not edge.fault:

        class Lost(dict[str, Any]):
            def pop(self, call: str, _: Any = None) -> Any:
                return httpx.ConnectError("lost") if call == "PUT /part/7" else None

        edge.fault = Lost()
    with pytest.raises((KeyboardInterrupt, ServiceError)) as caught:
        run(edge, clip)
    assert KEPT in caught.value.__notes__[0]
    assert "DELETE /api/projects/p_1" not in edge.calls
    stored = set(edge.reported)
    assert {1, 2, 3} <= stored
    edge.calls, edge.fault = [], {}
    done, _ = run(edge, clip)
    assert done.state == "done"
    assert edge.film == clip.read_bytes()
    assert "POST /api/projects" not in edge.calls, "a second project was made"
    again = {int(call.rsplit("/", 1)[1]) for call in edge.calls if call.startswith("PUT")}
    assert not again & stored, "stored parts were sent twice"


def test_another_clip_of_the_same_name_begins_a_project_of_its_own(clip: Path) -> None:
    edge = Edge()
    edge.name, edge.declared = "walk", {"name": "walk.mp4", "bytes": 7, "type": "video/mp4", "seconds": 20}
    run(edge, clip)
    assert "POST /api/projects" in edge.calls


def test_a_refused_clip_leaves_no_project(clip: Path) -> None:
    edge = Edge()
    edge.fault["POST /api/projects/p_1/photos"] = 413
    with pytest.raises(CommandError):
        run(edge, clip)
    assert edge.calls[-1] == "DELETE /api/projects/p_1"
