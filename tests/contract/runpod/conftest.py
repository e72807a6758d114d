"""The stand-in as its users meet it: a process on a loopback port, workers on the unmodified SDK.
Everything goes over HTTP; no test reaches into its objects."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from . import spec

HERE = Path(__file__).parent
KEY = "rpa_test_key_of_the_account"
REPOSITORY = "test.local/worker"
# The next major version of the SDK (requirements/runpod-next.txt), which set-up installs for the tests.
NEXT_SDK = HERE.parents[2] / ".tools/runpod-next"
# Of the private image: the registry takes an old and a new password while one replaces the other.
LOGINS = [{"username": "robot", "password": password} for password in ("pa55", "pa56")]


@dataclasses.dataclass
class StandIn:
    url: str
    process: subprocess.Popen[str]
    folder: Path
    http: httpx.Client

    def create(self, **changes: Any) -> dict[str, Any]:
        """A queue endpoint whose workers run the async handler, unless the changes say otherwise."""
        body: dict[str, Any] = {
            "name": "test",
            "type": "QUEUE",
            "image": f"{REPOSITORY}@sha256:{'a' * 64}",
            "gpu": {"pools": ["ADA_24"]},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
            "workers": {"min": 0, "max": 1, "idleTimeout": 60},
            "timeout": 60_000,
        } | changes
        answer = self.http.post("/v2/serverless", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def patch(self, endpoint_id: str, **changes: Any) -> dict[str, Any]:
        answer = self.http.patch(f"/v2/serverless/{endpoint_id}", json=changes)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, endpoint_id: str, **body: Any) -> str:
        answer = self.http.post(f"/v2/{endpoint_id}/run", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def status(self, endpoint_id: str, job_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/v2/{endpoint_id}/status/{job_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def finish(self, endpoint_id: str, job_id: str, limit_s: float = 90) -> dict[str, Any]:
        """The job object once it is in a final state."""
        return until(
            lambda: self.status(endpoint_id, job_id),
            lambda job: job["status"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"),
            limit_s,
        )

    def workers(self, endpoint_id: str) -> dict[str, Any]:
        return self.http.get(f"/v2/serverless/{endpoint_id}/workers").json()

    def processes(self) -> list[dict[str, Any]]:
        return self.http.get("/_control/workers").json()["workers"]

    def settings(self, **changes: Any) -> None:
        assert self.http.patch("/_control/settings", json=changes).status_code == 200

    def clock(self, **changes: Any) -> None:
        assert self.http.patch("/_control/clock", json=changes).status_code == 200

    def fault(self, **fault: Any) -> int:
        answer = self.http.post("/_control/faults", json=fault)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


def refused(answer: httpx.Response, status: int) -> str:
    """The text of a refusal, which must have this status."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    return " ".join([body["detail"], *body.get("errors", [])])


def base(**changes: Any) -> dict[str, Any]:
    """The least that a create needs, with changes."""
    return {
        "name": "test",
        "type": "QUEUE",
        "image": f"{REPOSITORY}:v1",
        "gpu": {"pools": ["ADA_24"]},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    } | changes


def judge(response: httpx.Response) -> None:
    """Checks every answer of every test against the published document."""
    content_type = response.headers.get("content-type", "")
    if content_type.startswith("text/event-stream"):
        return
    body = response.read()
    request = response.request
    broken = spec.violations(request.method, request.url.path, response.status_code, content_type, body)
    assert not broken, f"{request.method} {request.url.path} -> {response.status_code}: {broken}"


def until(read: Callable[[], Any], good: Callable[[Any], bool], limit_s: float = 90) -> Any:
    """The first value that is good; fails with the last one seen."""
    deadline = time.monotonic() + limit_s
    while not good(value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {limit_s} s"
        time.sleep(0.05)
    return value


def images(folder: Path) -> Path:
    """Each handler kind is an image of its own."""
    kinds = ("async", "sync", "generator", "async_generator", "refreshing", "concurrent", "broken")
    env = {"RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true", "RUNPOD_SKIP_GPU_CHECK": "true"}
    table = {
        (REPOSITORY if kind == "async" else f"{REPOSITORY}-{kind}"): {
            "command": [sys.executable, str(HERE / "worker_of_all_kinds.py"), kind],
            "env": env,
        }
        for kind in kinds
    }
    for kind in ("async", "generator"):
        command = table[REPOSITORY if kind == "async" else f"{REPOSITORY}-{kind}"]["command"]
        table[f"{REPOSITORY}-{kind}-next"] = {"command": command, "env": env | {"PYTHONPATH": str(NEXT_SDK)}}
    table[f"{REPOSITORY}-private"] = {**table[REPOSITORY], "private": LOGINS}
    table[f"{REPOSITORY}-checked"] = {"command": [sys.executable, str(HERE / "worker_of_all_kinds.py"), "async"]}
    for name in ("says", "deaf"):
        table[f"{REPOSITORY}-{name}"] = {"command": [sys.executable, str(HERE / "worker_with_faults.py"), name]}
    file = folder / "images.json"
    file.write_text(json.dumps(table))
    return file


@contextlib.contextmanager
def running(folder: Path, *arguments: str, ends_with: int = 0) -> Iterator[StandIn]:
    """A stand-in process. SIGTERM ends it; the test fails when its exit status is not `ends_with`."""
    folder.mkdir(parents=True, exist_ok=True)
    log = (folder / "standin.log").open("a")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "local_cloud.runpod",
            "--port=0",
            f"--state={folder / 'state'}",
            f"--images={images(folder)}",
            *arguments,
        ],
        env=os.environ | {"RUNPOD_API_KEY": KEY},
        cwd=HERE.parents[2],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    log.close()
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), (folder / "standin.log").read_text()
        with httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=100,
            trust_env=False,
            event_hooks={"response": [judge]},
        ) as http:
            until(lambda: http.get("/_control/health").status_code, lambda code: code == 200, 10)
            yield StandIn(url, process, folder, http)
    finally:
        process.terminate()
        try:
            status = process.wait(timeout=30)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
    assert status == ends_with, (folder / "standin.log").read_text()


@pytest.fixture(scope="session")
def shared_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with running(tmp_path_factory.mktemp("standin")) as standin:
        yield standin


@pytest.fixture
def standin(shared_standin: StandIn) -> Iterator[StandIn]:
    """The shared process with an empty account: tests do not affect each other.

    Without the management API's rate limits, because `until` polls far more often than a client may.
    """
    shared_standin.settings(rate_limit_minute=None)
    yield shared_standin
    # A worker with a job would take the whole time that the platform gives it.
    shared_standin.settings(stop_grace_s=0.5)
    assert shared_standin.http.post("/_control/reset").status_code == 204
    assert shared_standin.processes() == []


@dataclasses.dataclass
class Warm:
    """An endpoint whose one worker stays between tests: a start takes seconds."""

    standin: StandIn
    endpoint: str

    def run(self, **body: Any) -> str:
        return self.standin.run(self.endpoint, **body)

    def finish(self, job: str) -> dict[str, Any]:
        return self.standin.finish(self.endpoint, job)

    def status(self, job: str) -> dict[str, Any]:
        return self.standin.status(self.endpoint, job)

    def until_status(self, job: str, status: str) -> dict[str, Any]:
        return until(lambda: self.status(job), lambda one: one["status"] == status)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """For tests of one job at a time. Their jobs end, and they change no setting and no endpoint."""
    with running(tmp_path_factory.mktemp("warm")) as standin:
        standin.settings(rate_limit_minute=None)
        yield Warm(standin, standin.create(workers={"min": 0, "max": 1, "idleTimeout": 3600})["id"])


@pytest.fixture
def own_standin(tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[StandIn]]:
    """For tests that stop and start the process itself."""
    return lambda *arguments, **options: running(tmp_path, *arguments, **options)
