"""How the service carries load: many uploads and jobs at once, the cost of a request as stored projects grow, and
where one account saturates. The shipped bundle in workerd, the RunPod stand-in and workers on RunPod's SDK, all on
this machine. Writes bench/load.json.

    .venv/bin/python -m bench.load [--folder /dev/shm]

Cost per request is CPU time of the edge's processes over a fixed mix of calls, one after another: the median of some
rounds, taken in turns with a second service that has few projects. It includes the local cloud's own front, which
costs the same with any number of projects. On a folder in memory the figures are of the processes; on a disk most of
a write is the wait for the disk.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load.client import Client, in_threads, percentiles
from bench.load.service import Service, running
from bench.load.stored import add_finished
from bench.record import BENCH, arguments, record, write

# Workerd removes an object that nobody called for 10 s; memory and cost are measured afterwards.
IDLE_S = 12.0
PHOTOS_OF_JOB, JOB_PHOTO_BYTES = 5, 1_000
PARTS = 4
PART_NAMES = ("uploads", "jobs", "growth", "account")
JOB_LIMIT_S = 900.0
RATIO_MAX = 1.2
# Of what we keep in memory after all the load to the same after half of it.
MEMORY_MAX = 1.15
OURS = ("Worker", "RunPod stand-in")
# V8 collects garbage when it likes. Below a quarter of an isolate's 128 MB on the platform, growth does not count.
HEAP_FREE_MB = 32


@dataclass(frozen=True, kw_only=True)
class Plan:
    """few, projects: projects that are stored where the cost of a request is measured. counted: requests of
    a round. saturation_s: seconds that each number of clients writes and reads."""

    uploads: int = 200
    photos: int = 20
    photo_bytes: int = 20_000
    at_once: int = 50
    jobs: int = 1000
    workers: int = 10
    few: int = 100
    projects: int = 10_000
    counted: int = 200
    rounds: int = 5
    clients: tuple[int, ...] = (1, 5, 20, 50)
    saturation_s: float = 3.0
    idle_s: float = IDLE_S


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--uploads", type=int, default=Plan.uploads, help="projects of 20 photos, 50 at once")
    parser.add_argument("--jobs", type=int, default=Plan.jobs)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--projects", type=int, default=Plan.projects, help="stored projects at the end")
    parser.add_argument("--folder", type=Path, help="where the state is, such as /dev/shm; a temporary folder if none")
    parser.add_argument(
        "--parts", nargs="+", choices=PART_NAMES, default=PART_NAMES, help="a part that does not run keeps its figures"
    )
    parser.add_argument("--out", type=Path, default=BENCH / "load.json")
    given = parser.parse_args()
    plan = Plan(uploads=given.uploads, jobs=given.jobs, workers=given.workers, projects=given.projects)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, two_services(Path(folder), plan) as services:
        found, errors = measure(*services, plan, given.parts)
    command = (
        f".venv/bin/python -m bench.load --uploads {plan.uploads} --jobs {plan.jobs} --workers {plan.workers}"
        f" --projects {plan.projects} --parts {' '.join(given.parts)}"
        + (f" --folder {given.folder}" if given.folder else "")
    )
    wrong = [*errors, *failures(found)]
    known = json.loads(given.out.read_text()) if given.out.exists() else {}
    write(given.out, {**known, **{part: record(command, errors=errors, **figures) for part, figures in found.items()}})
    print(json.dumps(found, indent=1))
    for one in wrong:
        print(one, file=sys.stderr)
    return 1 if wrong else 0


@contextmanager
def two_services(folder: Path, plan: Plan) -> Iterator[tuple[Service, Service]]:
    """One for the load, and one with few projects."""
    large, small = folder / "large", folder / "small"
    for one in (large, small):
        one.mkdir()
    with running(large, plan.workers) as service, running(small, 1) as another:
        yield service, another


def failures(found: dict[str, Any]) -> list[str]:
    """What does not hold of what the parts of a run must show."""
    wrong = []
    if "growth" in found and found["growth"]["ratio"] > RATIO_MAX:
        wrong.append(f"a request costs {found['growth']['ratio']} times as much with more projects")
    for what in {"uploads", "jobs"} & found.keys():
        half, whole = (found[what]["memory_mb"][at] for at in (PARTS // 2 - 1, PARTS - 1))
        for one in OURS:
            if whole[one] > MEMORY_MAX * half[one] and (one != "Worker" or whole[one] > HEAP_FREE_MB):
                wrong.append(f"memory of the {one} grew from {half[one]} to {whole[one]} MB in half of the {what}")
    if "jobs" in found and found["jobs"]["ended"] != {"done": found["jobs"]["count"], "failed": 0, "cancelled": 0}:
        wrong.append(f"jobs ended as {found['jobs']['ended']}")
    return wrong


def measure(
    service: Service, small: Service, plan: Plan, parts: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Figures by part, and the errors of all calls. small: another service, for the cost of a request with few stored
    projects."""
    found: dict[str, dict[str, Any]] = {}
    with Client(service.url) as client, Client(small.url) as few, Client(service.url) as many:
        if "uploads" in parts:
            found["uploads"] = _uploads(service, plan, client.errors)
        if "jobs" in parts:
            found["jobs"] = _jobs(service, plan, client.errors)
        if {"growth", "account"} & set(parts):
            if "jobs" not in parts:
                _run_jobs(client, plan, range(1))
                client.wait_ended(1, JOB_LIMIT_S)
            loaded = sum(client.call("metrics", "GET", "/api/metrics").json()["projects_by_state"].values())
            added = max(plan.few, plan.projects - loaded)
            many_ids = add_finished(client, added)[: plan.few]
        if "growth" in parts:
            few_ids = _run_jobs(few, plan, range(1))
            few.wait_ended(1, JOB_LIMIT_S)
            few_ids += add_finished(few, plan.few - 1)
            costs = _costs_ms(plan, ((small, few, few_ids), (service, many, many_ids)))
            found["growth"] = {
                **{"projects": [plan.few, loaded + added], "cpu_ms_per_request": costs},
                **{"ratio": round(costs[1] / costs[0], 2), "few": few.latencies(), "many": many.latencies()},
                "restore": client.latencies().get("restore"),
            }
        if "account" in parts:
            rates = [_at_once(service, plan, many_ids, clients, client.errors) for clients in plan.clients]
            found["account"] = {"rates": rates}
        errors = [*client.errors, *few.errors, *many.errors][:20]
    return found, errors


def _run_jobs(client: Client, plan: Plan, numbers: range) -> list[str]:
    """Upload and start so many projects; returns their ids."""

    def run(number: int) -> str:
        project = client.upload(number, PHOTOS_OF_JOB, JOB_PHOTO_BYTES)
        client.start(project)
        return project

    with ThreadPoolExecutor(plan.workers) as pool:
        return list(pool.map(run, numbers))


def _jobs(service: Service, plan: Plan, errors: list[str]) -> dict[str, Any]:
    memory: list[dict[str, float]] = []
    busy_s = 0.0
    with Client(service.url) as client:
        for part in range(PARTS):
            first, end = _part(plan.jobs, part)
            began = time.monotonic()
            _run_jobs(client, plan, range(first, end))
            client.wait_ended(end, JOB_LIMIT_S)
            busy_s += time.monotonic() - began
            time.sleep(plan.idle_s)
            memory.append(service.memory_mb())
        ended = client.ended()
    errors += client.errors
    sizes = {"count": plan.jobs, "workers": plan.workers, "ended": ended, "jobs_per_s": round(plan.jobs / busy_s, 2)}
    return {**sizes, "memory_mb": memory, "calls": client.latencies()}


def _uploads(service: Service, plan: Plan, errors: list[str]) -> dict[str, Any]:
    memory: list[dict[str, float]] = []
    with Client(service.url) as client:
        for part in range(PARTS):
            first, end = _part(plan.uploads, part)
            in_threads(lambda n: client.upload(n, plan.photos, plan.photo_bytes), range(first, end), plan.at_once)
            time.sleep(plan.idle_s)
            memory.append(service.memory_mb())
    errors += client.errors
    sizes = {"projects": plan.uploads, "photos": plan.photos, "at_once": plan.at_once}
    return {**sizes, "memory_mb": memory, "calls": client.latencies()}


def _part(count: int, part: int) -> tuple[int, int]:
    return count * part // PARTS, count * (part + 1) // PARTS


def _costs_ms(plan: Plan, services: Sequence[tuple[Service, Client, list[str]]]) -> list[float]:
    """CPU ms of each edge for a request of the mix, in turns: another load of the machine hits all of them."""
    time.sleep(plan.idle_s)
    for _, client, ids in services:
        client.read(ids, plan.counted)  # compiles and warms everything
    rounds: list[list[float]] = [[] for _ in services]
    for _ in range(plan.rounds):
        for found, (service, client, ids) in zip(rounds, services, strict=True):
            before = service.edge_cpu_s()
            client.read(ids, plan.counted)
            found.append(1000 * (service.edge_cpu_s() - before) / plan.counted)
    return [round(statistics.median(found), 2) for found in rounds]


def _at_once(service: Service, plan: Plan, ids: list[str], clients: int, errors: list[str]) -> dict[str, Any]:
    """Renames a second by so many clients, each of another project and of one row of the account, and reads a second
    of the account's figures. cores: how busy the edge's processes were."""
    rates: dict[str, Any] = {"clients": clients}
    for what in ("rename", "estimate"):
        with Client(service.url) as client:
            cpu_s, began = service.edge_cpu_s(), time.monotonic()
            in_threads(_until(client, what, ids, began + plan.saturation_s), range(clients), clients)
            wall_s = time.monotonic() - began
        calls = client.times[what]
        cores = round((service.edge_cpu_s() - cpu_s) / wall_s, 2)
        rates[what] = {"per_s": round(len(calls) / wall_s, 1), "cores": cores, **percentiles(calls)}
        errors += client.errors
    return rates


def _until(client: Client, what: str, ids: list[str], end: float) -> Callable[[int], None]:
    def work(number: int) -> None:
        while time.monotonic() < end:
            if what == "rename":
                name = {"name": f"Kettle {time.monotonic()}"}
                client.call(what, "PATCH", f"/api/projects/{ids[number % len(ids)]}", json=name)
            else:
                client.call(what, "GET", "/api/estimate?preset=preview&photos=30")

    return work


if __name__ == "__main__":
    sys.exit(main())
