"""What is read for which question: all workers, one worker, the time of one scene, and what comes later."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

import httpx
import pytest

from infra.runpod.client import RetryPolicy, RunPodClient
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.logs.read import Reader, Wanted

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def iso(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


class Cloud:
    """Both services behind one transport. logs: worker → [(minutes after noon, line)]."""

    def __init__(self) -> None:
        self.logs: dict[str, list[tuple[float, str]]] = {
            "w1": [(1, "ready"), (3, "took a job")],
            "w2": [(2, "starting")],
        }
        self.jobs: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(str(request.url))
        if path == "/api/jobs":
            return httpx.Response(200, json={"jobs": self.jobs, "cursor": None})
        if path.startswith("/api/projects/"):
            return httpx.Response(200, json={"id": path.rpartition("/")[2], "name": "Teapot", "state": "done"})
        if path.endswith("/workers"):
            return httpx.Response(200, json={"workers": [{"id": one} for one in self.logs]})
        worker = path.split("/")[-2]
        if worker not in self.logs:
            return httpx.Response(404, json={"title": "Not Found", "status": 404})
        since = request.url.params["since"]
        entries = [(iso(at), line) for at, line in self.logs[worker] if iso(at) >= since]
        rows = [json.dumps({"ts": at, "source": "container", "line": line}) for at, line in entries]
        return httpx.Response(200, text="".join(f"data: {row}\n\n" for row in rows))

    def reader(self, **wanted: Any) -> Reader:
        transport = httpx.MockTransport(self)
        runpod = RunPodClient(
            api_key="rpa_KEY", api_url="https://r.example/v2", transport=transport, retry=RetryPolicy(attempts=1)
        )
        edge = EdgeClient("https://app.example", "token", transport=transport)
        return Reader(runpod, edge, "ep1", Wanted(**{"since": NOON, **wanted}))


def job(project: str, submitted: float, ended: float | None) -> dict[str, Any]:
    return {
        "project_id": project,
        "name": "Teapot",
        "attempt": 1,
        "preset": "preview",
        "photos": 24,
        "state": "done" if ended is not None else "running",
        "submitted_at": iso(submitted),
        "started_at": None,
        "ended_at": iso(ended) if ended is not None else None,
        "usd": 0.02,
        "seconds": None,
    }


def test_lines_of_all_workers_and_events_of_the_app_come_in_order_of_time() -> None:
    cloud = Cloud()
    cloud.jobs = [job("p_1", 1.5, 4), job("p_0", -60, -50)]
    found = [(one.source, one.who, one.line.rpartition(": ")[2]) for one in cloud.reader().stored()]
    assert found == [
        ("container", "w1", "ready"),
        ("app", "p_1", "submitted, 24 photos, preset preview"),
        ("container", "w2", "starting"),
        ("container", "w1", "took a job"),
        ("app", "p_1", "done, $0.0200"),
    ]


def test_a_scene_shows_the_time_of_its_attempts_however_long_ago() -> None:
    cloud = Cloud()
    cloud.jobs = [job("p_1", 1.5, 2.5), job("p_0", 0.5, 1.2)]
    reader = cloud.reader(job="p_0", since=NOON + timedelta(days=1))
    assert [(one.who, one.line.rpartition(": ")[2]) for one in reader.stored()] == [
        ("p_0", "submitted, 24 photos, preset preview"),
        ("w1", "ready"),
        ("p_0", "done, $0.0200"),
    ]


def test_one_workers_log_asks_the_app_nothing() -> None:
    cloud = Cloud()
    assert [one.line for one in cloud.reader(worker="w1").stored()] == ["ready", "took a job"]
    assert not [url for url in cloud.asked if "/api/" in url]


def test_an_unknown_worker_is_an_error_with_the_names_of_the_others() -> None:
    with pytest.raises(CommandError, match="no worker w9") as refused:
        Cloud().reader(worker="w9").stored()
    assert refused.value.hint == "choose one of w1, w2"


def test_a_worker_that_ended_meanwhile_has_no_lines() -> None:
    cloud = Cloud()
    reader = cloud.reader()
    workers = reader.workers
    del cloud.logs["w2"]
    cloud.logs = dict(cloud.logs)
    reader.workers = lambda: [*workers(), "w2"]  # type: ignore[method-assign]
    assert {one.who for one in reader.stored()} == {"w1"}


def test_following_returns_each_event_once_and_then_what_comes() -> None:
    cloud = Cloud()
    rounds = count()

    def pause(_: float) -> None:
        time.sleep(0.01)
        if next(rounds) == 2:
            cloud.logs["w3"] = [(5, "a new worker")]

    following = cloud.reader().follow(pause=pause)
    found = [one.line for one in islice(following, 4)]
    following.close()  # type: ignore[attr-defined]
    assert sorted(found) == ["a new worker", "ready", "starting", "took a job"]
