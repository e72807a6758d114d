"""Faults of RunPod: its API, its webhook, its endpoint, its clock and its key."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.cloud import IMAGE, until
from tests.chaos.faults.base import Lasting
from tests.chaos.scene import Scene


@dataclass(frozen=True)
class RunPodFault(Lasting):
    """A scripted fault of the RunPod stand-in (docs/local-cloud-runpod.md)."""

    kind: str
    route: str | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def strike(self, scene: Scene) -> None:
        route = {} if self.route is None else {"route": self.route}
        scene.cloud.runpod("POST", "/_control/faults", json={"kind": self.kind, **route, **self.more})


@dataclass(frozen=True)
class TimePasses(Lasting):
    """RunPod's clock moves on, after the job has reached a state there ("" for at once)."""

    seconds: float
    after: str = ""

    def strike(self, scene: Scene) -> None:
        if not self.after:
            scene.cloud.runpod("PATCH", "/_control/clock", json={"advance_s": self.seconds})

    def end(self, scene: Scene) -> None:
        if self.after:
            until(lambda: _counts(scene)[self.after] == 0, f"RunPod has no job {self.after}")
            scene.cloud.runpod("PATCH", "/_control/clock", json={"advance_s": self.seconds})


@dataclass(frozen=True)
class WorkersMax:
    """RunPod lowers the endpoint to no worker; an operator raises it again, unless for_good."""

    for_good: bool = False

    def strike(self, scene: Scene) -> None:
        set_workers_max(scene, 0)

    def end(self, scene: Scene) -> None:
        if not self.for_good:
            until(lambda: scene.project()["state"] == "queued", "the job waits")
            set_workers_max(scene, 1)


@dataclass(frozen=True)
class EndpointDeleted(Lasting):
    """Somebody deletes the endpoint in RunPod's console."""

    def strike(self, scene: Scene) -> None:
        _delete(scene, scene.cloud.endpoint)


@dataclass(frozen=True)
class EndpointReplaced(Lasting):
    """A deployment brings another endpoint, and the old one is deleted. keeps_old: at the end of the row only."""

    keeps_old: bool = False

    def strike(self, scene: Scene) -> None:
        old = scene.cloud.endpoint
        scene.cloud.endpoint = scene.cloud.make_endpoint()
        scene.cloud.deploy()
        if self.keeps_old:
            scene.at_end(lambda: _delete(scene, old))
        else:
            _delete(scene, old)


@dataclass(frozen=True)
class Release(Lasting):
    """A new image is rolled out."""

    def strike(self, scene: Scene) -> None:
        image = f"{IMAGE}@sha256:{secrets.token_hex(32)}"
        scene.cloud.runpod("PATCH", f"/v2/serverless/{scene.cloud.endpoint}", json={"image": image})


@dataclass(frozen=True)
class KeyRevoked:
    """The account's key is revoked, until a deployment brings a valid one, unless for_good."""

    for_good: bool = False

    def strike(self, scene: Scene) -> None:
        scene.cloud.runpod("PATCH", "/_control/settings", json={"key_revoked": True})

    def end(self, scene: Scene) -> None:
        if not self.for_good:
            until(lambda: scene.project()["state"] not in ("queued", "running"), "the project has ended")
            scene.cloud.runpod("PATCH", "/_control/settings", json={"key_revoked": False})


@dataclass(frozen=True)
class Webhook(Lasting):
    """A call of the webhook that RunPod did not make: with the right address, or with a changed one."""

    forged: bool

    def strike(self, scene: Scene) -> None:
        address = str(_job(scene)["webhook"])
        if self.forged:
            address = address[:-4] + ("aaaa" if not address.endswith("aaaa") else "bbbb")
        body = {"id": "not-a-job-of-ours", "status": "FAILED", "error": "forged"}
        answer = httpx.post(address, content=json.dumps(body), timeout=30, trust_env=False)
        assert answer.status_code == (403 if self.forged else 204), answer.text


def _delete(scene: Scene, endpoint: str) -> None:
    workers = {one["id"] for one in scene.cloud.workers() if one["endpoint_id"] == endpoint}
    scene.cloud.runpod("DELETE", f"/v2/serverless/{endpoint}")
    until(lambda: not workers & {one["id"] for one in scene.cloud.workers()}, "its workers end")


def set_workers_max(scene: Scene, count: int) -> None:
    scene.cloud.runpod("PATCH", f"/v2/serverless/{scene.cloud.endpoint}", json={"workers": {"max": count}})


def _counts(scene: Scene) -> dict[str, int]:
    counts: dict[str, int] = scene.cloud.runpod("GET", f"/v2/{scene.cloud.endpoint}/health").json()["jobs"]
    return counts


def _job(scene: Scene) -> dict[str, Any]:
    """RunPod's own record of the job that runs, as the control API shows it."""
    [job_id] = scene.worker()["jobs"]
    return dict(scene.cloud.runpod("GET", f"/_control/jobs/{job_id}").json())
