"""What the checks of jobs are made on: an endpoint with one worker, its self-test and one tiny scene. Costs GPU time.
Everything is collected in one pass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from infra.runpod.client import FINAL_JOB_STATES
from scripts.splat_cli.verify_live.accounts import Runpod
from scripts.splat_cli.verify_live.check import NotObserved
from scripts.splat_cli.verify_live.checks.buckets import Buckets
from scripts.splat_cli.verify_live.checks.endpoint_subject import Endpoints
from scripts.splat_cli.verify_live.checks.scripts import Scripts

SELF_TEST = {"selftest": True}
SELF_TEST_LIMIT_S = 900.0  # a cold host pulls gigabytes first
SCENE_LIMIT_S = 600.0
IDLE_TIMEOUT_S = 5
LOG_WAIT_S = 5.0
JSON = dict[str, Any]


@dataclass(kw_only=True)
class Jobs:
    """An endpoint with at most one worker, and what was seen of its jobs.

    receiver: the Worker that gets the webhooks. bucket and photos: for the scene. Each is None where it is missing.
    deadline_s: `time.monotonic()` after which nothing is waited for, since the budget ends there."""

    runpod: Runpod
    endpoints: Endpoints
    deadline_s: float
    receiver: Scripts | None = None
    bucket: Buckets | None = None
    photos: Sequence[Path] = ()
    endpoint: str = ""
    accepted: JSON = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    workers: list[JSON] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    log_type: str = ""
    done: JSON = field(default_factory=dict)
    scene: JSON = field(default_factory=dict)
    scene_bytes: int = 0

    def start(self) -> None:
        """Run the self-test, then the scene. Stops at the deadline; the caller deletes the endpoint."""
        body = self.endpoints.body(
            workers={"min": 0, "max": 1, "idleTimeout": IDLE_TIMEOUT_S},
            scaling={"type": "QUEUE_DELAY", "queueDelay": 1},
            timeout=600_000,
        )
        made = self.runpod.call("POST", "/serverless", json=body)
        if made.status_code != httpx.codes.CREATED:
            raise NotObserved(f"POST /serverless answered {made.status_code}: {made.text[:200]}")
        self.endpoint = str(made.json()["id"])
        hook = {"webhook": self.receiver.hook} if self.receiver else {}
        self.accepted = self.submit({"input": SELF_TEST, **hook})
        self.done = self._finish(str(self.accepted["id"]), SELF_TEST_LIMIT_S, watch=True)
        if self.bucket is not None and self.photos:
            self.scene = self._finish(str(self.submit({"input": self._scene_input()})["id"]), SCENE_LIMIT_S)
            self.scene_bytes = len(self.bucket.send("GET", "scene.ply").content)

    def submit(self, body: JSON) -> JSON:
        answer = self.runpod.job("POST", f"/{self.endpoint}/run", json=body)
        if not answer.is_success:
            raise NotObserved(f"POST run answered {answer.status_code}: {answer.text[:200]}")
        return dict(answer.json())

    def _finish(self, job: str, limit_s: float, *, watch: bool = False) -> JSON:
        """The job object at its end, or as it was at the limit."""
        until = min(time.monotonic() + limit_s, self.deadline_s)
        while True:
            now: JSON = self.runpod.job("GET", f"/{self.endpoint}/status/{job}").json()
            if watch:
                self._watch(str(now.get("status")))
            if now.get("status") in FINAL_JOB_STATES or time.monotonic() > until:
                return now
            self.runpod.sleep(0.5)

    def _watch(self, state: str) -> None:
        if state not in self.states:
            self.states.append(state)
        found = self.runpod.call("GET", f"/serverless/{self.endpoint}/workers").json().get("workers") or []
        self.workers += [one for one in found if one not in self.workers]
        if found and not self.log:
            self._read_log(str(found[0]["id"]))

    def _read_log(self, worker: str) -> None:
        """Some lines of the stream, which stays open."""
        path = f"/serverless/{self.endpoint}/workers/{worker}/logs"
        until = time.monotonic() + LOG_WAIT_S
        try:
            with self.runpod.stream(path, params={"tail": 50}, timeout=httpx.Timeout(LOG_WAIT_S)) as answer:
                self.log_type = answer.headers.get("content-type", "").split(";")[0]
                for line in answer.iter_lines():
                    self.log.append(line)
                    if line.startswith("data:") or time.monotonic() > until:
                        return
        except httpx.TimeoutException:
            return

    def _scene_input(self) -> JSON:
        bucket = self.bucket
        assert bucket is not None
        for photo in self.photos:
            bucket.send("PUT", photo.name, content=photo.read_bytes())
        return {
            "project_id": "verify-live",
            "image_urls": [bucket.address("get_object", photo.name, seconds=3600) for photo in self.photos],
            "upload_url": bucket.address("put_object", "scene.ply", seconds=3600),
            "iterations": 100,
        }

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.runpod.job("POST", f"/{self.endpoint}{path}", **given)
