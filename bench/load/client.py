"""What people and scripts ask of the edge, timed by kind of call."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.contract.edge.conftest import TOKEN

JPEG = b"\xff\xd8\xff\xe0"
SEEN_EVERY_S = 0.5


class Client:
    """Calls of one edge, timed by kind in ms. Safe to share between threads; close it, or use `with`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self._http = httpx.Client(timeout=120, trust_env=False, limits=httpx.Limits(max_connections=None))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, kind: str, method: str, path: str, **given: Any) -> httpx.Response:
        is_whole = path.startswith("http")
        own = {} if is_whole else {"Authorization": f"Bearer {TOKEN}"}
        url = path if is_whole else f"{self.url}{path}"
        began = time.monotonic()
        answer = self._http.request(method, url, headers={**own, **given.pop("headers", {})}, **given)
        self.times[kind].append((time.monotonic() - began) * 1000)
        if not answer.is_success:
            self.errors.append(f"{kind}: {answer.status_code} {answer.text[:100]}")
        return answer

    def create(self, number: int) -> str:
        return str(self.call("create", "POST", "/api/projects", json={"name": f"Scene {number}"}).json()["id"])

    def upload(self, number: int, photos: int, size: int) -> str:
        """One project of so many photos of `size` bytes, as the page makes it; returns its id."""
        project = self.create(number)
        path = f"/api/projects/{project}"
        wanted = [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": size} for n in range(photos)]
        declared = self.call("declare photos", "POST", f"{path}/photos", json={"photos": wanted}).json()["uploads"]
        body = JPEG + bytes(size - len(JPEG))
        for one in declared:
            self.call("photo", "PUT", one["url"], headers=one["headers"], content=body)
        if self.call("project", "GET", path).json()["state"] != "ready":
            self.errors.append(f"{project} is not ready")
        return project

    def start(self, project: str) -> None:
        self.call("start a job", "POST", f"/api/projects/{project}/jobs", json={"preset": "preview"})

    def ended(self) -> dict[str, int]:
        """Jobs by outcome."""
        outcomes: dict[str, int] = self.call("metrics", "GET", "/api/metrics").json()["jobs_by_outcome"]
        return outcomes

    def wait_ended(self, count: int, limit_s: float) -> None:
        """Wait until so many jobs have ended."""
        deadline = time.monotonic() + limit_s
        while sum(self.ended().values()) < count:
            if time.monotonic() > deadline:
                self.errors.append(f"{count} jobs should have ended: {self.ended()}")
                return
            time.sleep(SEEN_EVERY_S)

    def read(self, projects: Sequence[str], count: int) -> None:
        """So many requests, one after another: what people and operators ask most."""
        kinds: list[Callable[[str], object]] = [
            lambda one: self.call("project", "GET", f"/api/projects/{one}"),
            lambda one: self.call("photos", "GET", f"/api/projects/{one}/photos"),
            lambda _: self.call("list of 50", "GET", "/api/projects"),
            lambda one: self.call("rename", "PATCH", f"/api/projects/{one}", json={"name": "Kettle"}),
            lambda _: self.call("metrics", "GET", "/api/metrics"),
            lambda _: self.call("jobs", "GET", "/api/jobs"),
            lambda _: self.call("estimate", "GET", "/api/estimate?preset=preview&photos=30"),
            lambda _: self.call("operations", "GET", "/api/operations"),
        ]
        for number, kind in zip(range(count), itertools.cycle(kinds), strict=False):
            kind(projects[number % len(projects)])

    def latencies(self) -> dict[str, dict[str, float]]:
        return {kind: {"calls": len(times), **percentiles(times)} for kind, times in self.times.items()}


def percentiles(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    found = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in at.items()}
    return {name: round(value, 1) for name, value in {**found, "max_ms": ordered[-1]}.items()}


def in_threads(work: Callable[[int], object], numbers: Iterable[int], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, numbers):
            pass
