"""The local cloud that the load runs on: the shipped edge bundle in workerd, the RunPod stand-in and its workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from bench.record import BENCH, ROOT, cpu_s
from tests.contract.edge.conftest import CONTROL_KEY, NODE, deploy

RUNPOD_KEY = "rpa_key_of_the_load_bench"
IMAGE = "bench.local/report"
ENDPOINT_MAX_S = 600
HOST = "127.0.0.1"
# The platform keeps a result for half an hour.
RESULT_KEPT_S = 31 * 60
# The isolate of the Worker, as the inspector names it.
WORKER = "core:user:edge"
LIMITS = {
    **{"photos_min": 5, "photos_max": 400, "photo_bytes_max": 1_000_000, "project_bytes_max": 10_000_000},
    **{"upload_bytes_per_day": 10**12, "job_seconds_max": 3600, "jobs_per_day": 100_000, "jobs_at_once": 10_000},
    **{"budget_usd_per_month": 100_000, "start_failures_max": 5},
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """Addresses and processes. edge, standin: process ids; below the stand-in are the workers."""

    url: str
    runpod_url: str
    inspector_port: int
    edge: int
    standin: int

    def edge_cpu_s(self) -> float:
        return sum(cpu_s(one) for one in tree(self.edge))

    def memory_mb(self) -> dict[str, float]:
        """What we keep: JavaScript heap of the isolate of the Worker and all of its objects, with garbage that
        V8 has not collected yet, and resident memory
        of the stand-in without its workers, after it dropped the results that the platform no longer keeps. And
        resident memory of the local runtime: workerd, which keeps native memory of each object that it opened, and
        the front."""
        with _client(self.runpod_url, RUNPOD_KEY) as http:
            http.patch("/_control/clock", json={"advance_s": RESULT_KEPT_S}).raise_for_status()
        front, *below = tree(self.edge)
        return {
            "Worker": self._heap_mb(),
            "RunPod stand-in": resident_mb([self.standin]),
            "workerd": resident_mb(below),
            "front": resident_mb([front]),
        }

    def _heap_mb(self) -> float:
        listed = httpx.get(f"http://{HOST}:{self.inspector_port}/json", trust_env=False, timeout=60).json()
        [address] = [one["webSocketDebuggerUrl"] for one in listed if one["id"] == WORKER]
        with connect(address, proxy=None, open_timeout=60, max_size=None) as asking:
            asking.send(json.dumps({"id": 2, "method": "Runtime.getHeapUsage"}))
            while (answer := json.loads(asking.recv(timeout=60))).get("id") != 2:
                pass
        return round(float(answer["result"]["usedSize"]) / 1e6, 1)


@contextmanager
def running(folder: Path, workers: int) -> Iterator[Service]:
    """Both deployed on free ports, with so many workers. Nothing of it is left afterwards."""
    images = folder / "images.json"
    sdk = {"RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true", "RUNPOD_SKIP_GPU_CHECK": "true"}
    command = [sys.executable, str(BENCH / "load/worker.py")]
    images.write_text(json.dumps({IMAGE: {"command": command, "env": sdk}}))
    standin = _start(
        [sys.executable, "-m", "local_cloud.runpod", "--port=0", f"--state={folder}/runpod", f"--images={images}"],
        {"RUNPOD_API_KEY": RUNPOD_KEY},
    )
    inspector_port = _free_port()
    ports = ("--port=0", "--control-port=0", f"--inspector-port={inspector_port}")
    edge = _start(
        [str(NODE), str(ROOT / "local_cloud/cloudflare/runtime/main.mjs"), *ports, f"--state={folder}/edge"],
        {"CLOUDFLARE_API_TOKEN": CONTROL_KEY},
    )
    try:
        assert standin.stdout is not None
        assert edge.stdout is not None
        runpod_url, said = standin.stdout.readline().strip(), json.loads(edge.stdout.readline())
        endpoint = _endpoint(runpod_url, workers)
        texts = {
            "LIMITS": json.dumps(LIMITS),
            "RUNPOD_JOB_URL": f"{runpod_url}/v2",
            "RUNPOD_API_KEY": RUNPOD_KEY,
            "RUNPOD_ENDPOINT_ID": endpoint,
        }
        with _client(said["control_url"], CONTROL_KEY) as control:
            deploy(control, said["url"], folder, texts)
        yield Service(
            url=said["url"],
            runpod_url=runpod_url,
            inspector_port=inspector_port,
            edge=edge.pid,
            standin=standin.pid,
        )
    finally:
        for process in (edge, standin):
            process.send_signal(signal.SIGTERM)
        for process in (edge, standin):
            process.wait(timeout=60)
            if process.stdout is not None:
                process.stdout.close()


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def resident_mb(pids: list[int]) -> int:
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def _endpoint(runpod_url: str, workers: int) -> str:
    body = {
        "name": "load",
        "type": "QUEUE",
        "image": f"{IMAGE}:v1",
        "gpu": {"pools": ["ADA_24"]},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
        "workers": {"min": workers, "max": max(1, workers), "idleTimeout": 3600},
        "timeout": ENDPOINT_MAX_S * 1000,
    }
    with _client(runpod_url, RUNPOD_KEY) as http:
        http.patch("/_control/settings", json={"job_rate_limits": False, "rate_limit_minute": None}).raise_for_status()
        return str(http.post("/v2/serverless", json=body).raise_for_status().json()["id"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False)


def _start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    env: dict[str, Any] = {**os.environ, **environment}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        text=True,
    )
