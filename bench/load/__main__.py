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
JOB_LIMIT_S = 900.0
RATIO_MAX = 1.2
# Of memory after all the load to memory after half of it.
MEMORY_MAX = 1.15


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
    parser.add_argument("--out", type=Path, default=BENCH / "load.json")
    given = parser.parse_args()
    plan = Plan(uploads=given.uploads, jobs=given.jobs, workers=given.workers, projects=given.projects)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, two_services(Path(folder), plan) as services:
        found = measure(*services, plan)
    command = (
        f".venv/bin/python -m bench.load --uploads {plan.uploads} --jobs {plan.jobs} --workers {plan.workers}"
        f" --projects {plan.projects}" + (f" --folder {given.folder}" if given.folder else "")
    )
    wrong = failures(found)
    write(given.out, record(command, **found))
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
    """What does not hold of what a run must show."""
    wrong = list(found["errors"])
    if found["growth"]["ratio"] > RATIO_MAX:
        wrong.append(f"a request costs {found['growth']['ratio']} times as much with more projects")
    for what in ("uploads", "jobs"):
        for process, ratio in found[what]["memory_ratio"].items():
            if ratio > MEMORY_MAX:
                wrong.append(f"memory of the {process} grew {ratio} times in the second half of the {what}")
    if found["jobs"]["ended"] != {"done": found["jobs"]["count"], "failed": 0, "cancelled": 0}:
        wrong.append(f"jobs ended as {found['jobs']['ended']}")
    return wrong


def measure(service: Service, small: Service, plan: Plan) -> dict[str, Any]:
    """small: another service, for the cost of a request with few stored projects."""
    with Client(service.url) as client, Client(small.url) as few, Client(service.url) as many:
        uploads = _uploads(service, plan, client.errors)
        jobs = _jobs(service, plan, client.errors)
        few_ids = _run_jobs(few, plan, range(1))
        few.wait_ended(1, JOB_LIMIT_S)
        few_ids += add_finished(few, plan.few - 1)
        loaded = plan.uploads + plan.jobs
        added = max(plan.few, plan.projects - loaded)
        many_ids = add_finished(client, added)[: plan.few]
        account = [_at_once(service, plan, many_ids, clients, client.errors) for clients in plan.clients]
        costs = _costs_ms(plan, ((small, few, few_ids), (service, many, many_ids)))
        growth = {
            **{"projects": [plan.few, loaded + added], "cpu_ms_per_request": costs},
            **{"ratio": round(costs[1] / costs[0], 2), "few": few.latencies(), "many": many.latencies()},
            "restore": client.latencies().get("restore"),
        }
        errors = [*client.errors, *few.errors, *many.errors][:20]
    return {"errors": errors, "uploads": uploads, "jobs": jobs, "growth": growth, "account": account}


def _run_jobs(client: Client, plan: Plan, numbers: range) -> list[str]:
    """Upload and start so many projects; returns their ids."""

    def run(number: int) -> str:
        project = client.upload(number, PHOTOS_OF_JOB, JOB_PHOTO_BYTES)
        client.start(project)
        return project

    with ThreadPoolExecutor(plan.workers) as pool:
        return list(pool.map(run, numbers))


def _jobs(service: Service, plan: Plan, errors: list[str]) -> dict[str, Any]:
    memory, busy_s = [], 0.0
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
    return {**sizes, **_memory(memory), "calls": client.latencies()}


def _uploads(service: Service, plan: Plan, errors: list[str]) -> dict[str, Any]:
    memory = []
    with Client(service.url) as client:
        for part in range(PARTS):
            first, end = _part(plan.uploads, part)
            in_threads(lambda n: client.upload(n, plan.photos, plan.photo_bytes), range(first, end), plan.at_once)
            time.sleep(plan.idle_s)
            memory.append(service.memory_mb())
    errors += client.errors
    sizes = {"projects": plan.uploads, "photos": plan.photos, "at_once": plan.at_once}
    return {**sizes, **_memory(memory), "calls": client.latencies()}


def _part(count: int, part: int) -> tuple[int, int]:
    return count * part // PARTS, count * (part + 1) // PARTS


def _memory(samples: list[dict[str, int]]) -> dict[str, Any]:
    """After each quarter, in MB, and the last one beside the second."""
    ratio = {name: round(samples[-1][name] / samples[PARTS // 2 - 1][name], 2) for name in samples[0]}
    return {"memory_mb": samples, "memory_ratio": ratio}


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
