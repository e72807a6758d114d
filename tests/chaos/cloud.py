"""A local cloud of real processes for the fault suite: both stand-ins, the shipped edge worker, one endpoint.
Deployed as `pulumi up` does it, without the engine. Knows how to look and how to break; expects nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from local_cloud import clock_skew, process_group
from local_cloud.addresses import Ports, StateFolder, write_private
from local_cloud.runpod.workers import disk
from local_cloud.supervisor import Keys, Service, services
from tests.chaos.pace import PACE
from tests.contract.edge.conftest import TOKEN, deploy

ROOT = Path(__file__).parents[2]
IMAGE = "chaos.local/worker"
KEYS = Keys(
    runpod_api_key="rpa_key_of_the_fault_suite", cloudflare_api_token="control-key-of-the-fault-suite-0123456789"
)
LIMIT_S = 60.0
USD = 0.0031  # price in the worker's report
# A worker is lost after this silence of the suite's time, at most as on the platform: one that a busy machine lets wait
# is not.
LOST_AFTER_S, LOST_AFTER_MAX_S = 6, 40
SETTINGS = {
    "ping_interval_ms": 1000,
    "stop_grace_s": 1,
    "rate_limit_minute": None,
    "job_rate_limits": False,
    "key_revoked": False,
    "worker_clock_skew_s": 0,
    # Room for a job of the suite; a row fills it.
    "worker_disk_mb": 48 if disk.is_possible() else None,
}


@dataclasses.dataclass(kw_only=True)
class Cloud:
    """The running processes by name (`runpod`, `cloudflare`), and clients of every side."""

    folder: Path
    ports: Ports
    commands: dict[str, Service]
    processes: dict[str, subprocess.Popen[bytes]]
    endpoint: str = ""
    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    edge_clock_skew_s: int = 0

    @property
    def app(self) -> str:
        return f"http://127.0.0.1:{self.ports.app}"

    @property
    def gates(self) -> Path:
        return self.folder / "gates"

    def edge(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.request(method, f"{self.app}{path}", headers=headers, timeout=30, trust_env=False, **given)

    def runpod(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEYS.runpod_api_key}"}
        url = f"http://127.0.0.1:{self.ports.runpod}{path}"
        answer = httpx.request(method, url, headers=headers, timeout=30, trust_env=False, **given)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer

    def control(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {KEYS.cloudflare_api_token}"}
        url = f"http://127.0.0.1:{self.ports.control}{path}"
        answer = httpx.request(method, url, headers=headers, timeout=30, trust_env=False, **given)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer

    def workers(self) -> list[dict[str, Any]]:
        """Worker processes of the endpoint: id, phase, jobs, pid."""
        found: list[dict[str, Any]] = self.runpod("GET", "/_control/workers").json()["workers"]
        return found

    def bucket(self) -> Any:
        """An S3 client with the stack's own key, past every fault of the public port."""
        return boto3.client(
            "s3",
            endpoint_url=f"{self.app}/cdn-cgi/local/r2/s3",
            region_name="auto",
            aws_access_key_id=self.texts["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=self.texts["S3_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}),
        )

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def start(self, name: str, clock_skew_s: int = 0) -> None:
        """Start a stand-in (again), on the same ports and the same state; returns once it answers. clock_skew_s: how
        far the edge's clock is ahead."""
        service = self.commands[name]
        if name == "cloudflare":
            self.edge_clock_skew_s = clock_skew_s
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = process_group.start(
                service.command,
                cwd=ROOT,
                env=os.environ | service.environment | clock_skew.environment(clock_skew_s, self.folder / "clock"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(lambda: _answers(service.health_url), f"{name} answers")

    def kill(self, name: str) -> None:
        """SIGKILL to a stand-in and everything that it started."""
        process_group.end(self.processes[name], grace_s=0, ask=signal.SIGKILL)

    def heal(self) -> None:
        """Remove every scripted fault, and accept the key again."""
        self.runpod("PATCH", "/_control/settings", json={"key_revoked": False})
        self.runpod("DELETE", "/_control/faults")
        self.control("DELETE", "/faults")

    def set_clock_right(self) -> None:
        """Start the edge again with the real clock, if it had another."""
        if self.edge_clock_skew_s:
            self.kill("cloudflare")
            self.start("cloudflare")

    def reset(self) -> None:
        """Remove every fault and everything that a row changed, and let jobs start."""
        self.set_clock_right()
        self.heal()
        lost_after_s = min(LOST_AFTER_MAX_S, LOST_AFTER_S / PACE.mean_share())
        self.runpod("PATCH", "/_control/settings", json={**SETTINGS, "lost_after_s": round(lost_after_s)})
        if not self.endpoint or self.endpoint not in {one["id"] for one in self.endpoints()}:
            self.endpoint = self.make_endpoint()
            self.deploy()
        self.runpod("PATCH", f"/v2/serverless/{self.endpoint}", json={"workers": {"max": 1}})
        self.edge("POST", "/api/resume")

    def endpoints(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.runpod("GET", "/v2/serverless").json()["endpoints"]
        return found

    def make_endpoint(self) -> str:
        body = {
            "name": "chaos",
            "type": "QUEUE",
            "image": f"{IMAGE}@sha256:{'a' * 64}",
            "gpu": {"pools": ["ADA_24"]},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
            "workers": {"min": 0, "max": 1, "idleTimeout": 600},
        }
        return str(self.runpod("POST", "/v2/serverless", json=body).json()["id"])

    def deploy(self, **texts: str) -> None:
        """Deploy the edge worker with other text bindings than the usual ones."""
        job_url = {"RUNPOD_JOB_URL": f"http://127.0.0.1:{self.ports.runpod}/v2"}
        keys = {"RUNPOD_API_KEY": KEYS.runpod_api_key, "RUNPOD_ENDPOINT_ID": self.endpoint}
        headers = {"Authorization": f"Bearer {KEYS.cloudflare_api_token}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports.control}", headers=headers, timeout=60, trust_env=False
        ) as control:
            used = deploy(control, self.app, self.folder, {**self.texts, **job_url, **keys, **texts})
        self.texts = self.texts or used


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cloud]:
    """A deployed local cloud on free ports. No process of it is left afterwards."""
    state = StateFolder(root=folder)
    ports = Ports(app=_free_port(), runpod=_free_port(), control=_free_port())
    (folder / "gates").mkdir(parents=True)
    image = {
        "command": [str(ROOT / ".venv-worker/bin/python"), "-m", "tests.chaos.worker.handler"],
        "cwd": str(ROOT),
        "env": {
            "GATES": str(folder / "gates"),
            "REPORT_USD": str(USD),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "worker_image/src"), str(ROOT)]),
            "SPLAT_ALLOW_PRIVATE_ADDRESSES": "true",
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
            "RUNPOD_SKIP_GPU_CHECK": "true",
        },
    }
    write_private(state.images_file, json.dumps({IMAGE: image}))
    commands = {one.name: one for one in services(state, ports, root=ROOT, credentials=KEYS)}
    edge = commands["cloudflare"]
    commands["cloudflare"] = dataclasses.replace(edge, command=[*edge.command, "--binding-faults"])
    cloud = Cloud(folder=folder, ports=ports, commands=commands, processes={})
    try:
        for name in commands:
            cloud.start(name)
        cloud.reset()
        yield cloud
    finally:
        for process in cloud.processes.values():
            process_group.send(process.pid, signal.SIGCONT)
            process_group.end(process, grace_s=15, leader_only=True)


def until(holds: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """The first true value of `holds`. Raises AssertionError with `what` after the limit, in time of the suite."""
    deadline = PACE.now() + limit_s
    while True:
        found = holds()
        if found:
            return found
        assert PACE.now() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.05)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
