"""The smoke test on a service that answers from memory: what it checks, and that it leaves nothing behind."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.smoke.run import ARC, choose, smoke

ROOT = Path(__file__).parents[5]
SAMPLES = ROOT / "samples/photos"
REPORT = json.loads((ROOT / "docs/contracts/job-report.json").read_text())
SCENE = b"the scene"


class Edge:
    """One project at a time, as the API answers. state: how its job ends."""

    def __init__(self, *, state: str = "done", stored: bytes = SCENE) -> None:
        self.state, self.stored = state, stored
        self.photos: list[str] = []
        self.projects = 0
        self.deleted = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method, path = request.method, request.url.path
        if path == "/api/settings":
            limits = {"photos_min": 5, "photos_max": 300, "photo_bytes_max": 10**8}
            return httpx.Response(200, json={"limits": limits, "presets": ["preview"]})
        if path.startswith("/stored/"):
            self.photos.append(path)
            return httpx.Response(200)
        if path.endswith("/photos") and method == "POST":
            wanted = json.loads(request.content)["photos"]
            uploads = [
                {"name": one["name"], "as": f"{n:04}.jpg", "url": f"https://b.example/stored/{n}", "headers": {}}
                for n, one in enumerate(wanted)
            ]
            return httpx.Response(201, json={"uploads": uploads})
        if path.endswith("/photos"):
            return httpx.Response(200, json={"photos": []})
        if path.endswith("/estimate"):
            return httpx.Response(200, json={"seconds": 60, "usd": 0.02})
        if path.endswith("/artifacts/scene.sog"):
            return httpx.Response(200, content=iter([self.stored]))
        if method == "DELETE":
            self.deleted += 1
            return httpx.Response(204)
        if path == "/api/projects":
            self.projects += 1
        return httpx.Response(200, json=self._project())

    def _project(self) -> dict[str, Any]:
        failed = self.state == "failed"
        return {
            "id": "p_1",
            "name": "Smoke",
            "state": self.state,
            "report": None if failed else REPORT,
            "error": {"code": "INTERNAL", "message": "It failed."} if failed else None,
            "artifacts": {} if failed else {"scene.sog": {"sha256": hashlib.sha256(SCENE).hexdigest()}},
        }

    def client(self) -> EdgeClient:
        return EdgeClient("https://app.example", "token", transport=httpx.MockTransport(self))


def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def test_a_service_that_works_reports_photos_quality_seconds_and_price_and_is_left_empty() -> None:
    edge = Edge()
    done = smoke(edge.client(), SAMPLES, console=console())
    assert len(edge.photos) == len(ARC)
    assert (edge.projects, edge.deleted) == (1, 1)
    assert (done.registered, done.psnr_db) == (REPORT["photos"]["registered"], REPORT["metrics"]["psnr_db"])
    assert (done.usd, done.estimate, done.gpu) == (0.0462, True, "RTX 4090")
    assert done.seconds > 0


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        (Edge(state="failed"), "It failed"),
        (Edge(stored=b"other bytes"), "other bytes than the worker stored"),
    ],
)
def test_a_failure_is_reported_and_the_project_is_deleted_all_the_same(edge: Edge, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        smoke(edge.client(), SAMPLES, console=console())
    assert (edge.projects, edge.deleted) == (1, 1)


def test_a_deployment_that_wants_more_photos_gets_more() -> None:
    assert [photo.stem[-4:] for photo in choose(SAMPLES, 5)] == list(ARC)
    more = choose(SAMPLES, 12)
    assert len(set(more)) == 12
    assert all(photo.exists() for photo in more)
