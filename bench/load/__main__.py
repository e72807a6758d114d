"""How the edge carries load: many uploads at once, the cost of a request as projects grow, and where one account
saturates. The shipped bundle in workerd on this machine; no RunPod behind it. Writes bench/load.json.

    .venv/bin/python -m bench.load [--uploads 200] [--projects 10000] [--out bench/load.json]

Cost per request is CPU time of the runtime's processes over a fixed mix of calls, one after another. It includes
the local cloud's own front, which is the same with any number of projects.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.record import BENCH, ROOT, arguments, cpu_s, record, write
from tests.contract.edge.conftest import CONTROL_KEY, NODE, TOKEN, deploy

PHOTOS, PHOTO_BYTES, AT_ONCE = 20, 20_000, 50
FEW = 100  # projects that the cost of a request is first measured with
COUNTED = 200  # requests of the mix
WRITERS = (1, 5, 20)
SATURATION_S = 3.0
LIMITS = {
    **{"photos_min": 5, "photos_max": 400, "photo_bytes_max": 1_000_000, "project_bytes_max": 10_000_000},
    **{"upload_bytes_per_day": 10**12, "job_seconds_max": 3600, "jobs_per_day": 10_000, "jobs_at_once": 100},
    **{"budget_usd_per_month": 1000, "start_failures_max": 5},
}
RATIO_MAX = 1.2


class Load:
    """Calls of one edge, timed by kind in ms. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.times: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self._local = threading.local()

    def call(self, kind: str, method: str, path: str, **given: Any) -> httpx.Response:
        if not hasattr(self._local, "http"):
            # The front closes a connection that was idle for 5 s.
            limits = httpx.Limits(keepalive_expiry=2.0)
            self._local.http = httpx.Client(timeout=120, trust_env=False, limits=limits)
        own = {} if path.startswith("http") else {"Authorization": f"Bearer {TOKEN}"}
        began = time.monotonic()
        answer: httpx.Response = self._local.http.request(
            method,
            path if path.startswith("http") else f"{self.url}{path}",
            headers={**own, **given.pop("headers", {})},
            **given,
        )
        self.times[kind].append((time.monotonic() - began) * 1000)
        if not answer.is_success:
            self.errors.append(f"{kind}: {answer.status_code} {answer.text[:100]}")
        return answer

    def create(self, number: int) -> str:
        return str(self.call("create", "POST", "/api/projects", json={"name": f"Scene {number}"}).json()["id"])

    def upload(self, number: int) -> None:
        """One project of PHOTOS photos, as the page makes it."""
        project = self.create(number)
        photos = [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": PHOTO_BYTES} for n in range(PHOTOS)]
        path = f"/api/projects/{project}"
        uploads = self.call("declare 20 photos", "POST", f"{path}/photos", json={"photos": photos}).json()["uploads"]
        body = b"\xff\xd8\xff\xe0" + bytes(PHOTO_BYTES - 4)
        for one in uploads:
            self.call("photo of 20 kB", "PUT", one["url"], headers=one["headers"], content=body)
        if self.call("project", "GET", path).json()["state"] != "ready":
            self.errors.append(f"{project} is not ready")

    def latencies(self) -> dict[str, dict[str, float]]:
        return {kind: {"calls": len(times), **percentiles(times)} for kind, times in self.times.items()}


def percentiles(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    found = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in at.items()}
    return {name: round(value, 1) for name, value in {**found, "max_ms": ordered[-1]}.items()}


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--uploads", type=int, default=200, help="projects of 20 photos, 50 at once")
    parser.add_argument("--projects", type=int, default=10_000, help="stored projects at the end")
    parser.add_argument("--out", type=Path, default=BENCH / "load.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, edge(Path(folder)) as (url, pid):
        found = measure(url, pid, options.uploads, options.projects)
    command = f".venv/bin/python -m bench.load --uploads {options.uploads} --projects {options.projects}"
    write(options.out, record(command, **found))
    print(json.dumps(found, indent=1))
    return 0 if not found["errors"] and found["growth"]["ratio"] <= RATIO_MAX else 1


@contextmanager
def edge(folder: Path) -> Iterator[tuple[str, int]]:
    """The runtime with the edge deployed: its address and its process."""
    ports = ["--port", "0", "--control-port", "0", "--state", str(folder / "state")]
    process = subprocess.Popen(
        [str(NODE), str(ROOT / "local_cloud/cloudflare/runtime/main.mjs"), *ports],
        env={**os.environ, "CLOUDFLARE_API_TOKEN": CONTROL_KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {CONTROL_KEY}"}
        with httpx.Client(base_url=said["control_url"], headers=headers, timeout=60, trust_env=False) as control:
            deploy(control, said["url"], folder, {"LIMITS": json.dumps(LIMITS)})
        yield said["url"], process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def measure(url: str, pid: int, uploads: int, projects: int) -> dict[str, Any]:
    growing = Load(url)
    ids = [growing.create(number) for number in range(FEW)]
    mix(growing, ids, COUNTED // 4)  # compiles and warms everything
    few = cost_ms(pid, lambda: mix(growing, ids, COUNTED))

    uploading = Load(url)
    in_threads(uploading.upload, range(uploads // 4), AT_ONCE)
    memory = [tree_mb(pid)]
    in_threads(uploading.upload, range(uploads // 4, uploads), AT_ONCE)
    memory.append(tree_mb(pid))

    saturation, stored = [], FEW + uploads
    for writers in WRITERS:
        rate, made = writes_per_s(growing, writers)
        saturation.append({"writers": writers, "creations_per_s": rate})
        stored += made
    before = tree_mb(pid)
    in_threads(growing.create, range(max(0, projects - stored)), 20)
    many = cost_ms(pid, lambda: mix(growing, ids, COUNTED))
    stored = max(projects, stored)
    return {
        "errors": [*growing.errors, *uploading.errors][:20],
        "uploads": {"projects": uploads, "at_once": AT_ONCE, "calls": uploading.latencies()},
        "memory_mb": {
            "a_quarter_uploaded": memory[0],
            "all_uploaded": memory[1],
            "before": before,
            "end": tree_mb(pid),
        },
        "growth": {
            **{"projects": [FEW, stored], "cpu_ms_per_request": [few, many], "ratio": round(many / few, 2)},
            "calls": growing.latencies(),
        },
        "account": saturation,
    }


def mix(load: Load, ids: list[str], count: int) -> None:
    """What people and operators read most."""
    kinds: list[Callable[[str], object]] = [
        lambda one: load.call("project", "GET", f"/api/projects/{one}"),
        lambda one: load.call("project", "GET", f"/api/projects/{one}"),
        lambda _: load.call("list of 50", "GET", "/api/projects"),
        lambda one: load.call("photos", "GET", f"/api/projects/{one}/photos"),
        lambda one: load.call("rename", "PATCH", f"/api/projects/{one}", json={"name": "Kettle"}),
        lambda _: load.call("metrics", "GET", "/api/metrics"),
        lambda _: load.call("jobs", "GET", "/api/jobs"),
        lambda _: load.call("estimate", "GET", "/api/estimate?preset=preview&photos=30"),
    ]
    for number, kind in zip(range(count), itertools.cycle(kinds), strict=False):
        kind(ids[number % len(ids)])


def cost_ms(pid: int, work: Callable[[], None]) -> float:
    """CPU ms of the runtime's processes for each request of the mix."""
    before = sum(cpu_s(one) for one in tree(pid))
    work()
    return round(1000 * (sum(cpu_s(one) for one in tree(pid)) - before) / COUNTED, 2)


def writes_per_s(load: Load, writers: int) -> tuple[float, int]:
    """Creations a second by so many clients at once, each of which writes a row of the account."""
    end, began = time.monotonic() + SATURATION_S, time.monotonic()

    def work(number: int) -> int:
        made = 0
        while time.monotonic() < end:
            load.create(number)
            made += 1
        return made

    with ThreadPoolExecutor(writers) as pool:
        made = sum(pool.map(work, range(writers)))
    return round(made / (time.monotonic() - began), 1), made


def in_threads(work: Callable[[int], object], numbers: Iterable[int], threads: int) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, numbers):
            pass


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def tree_mb(pid: int) -> int:
    """Resident memory of a process and all below it, MB."""
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
