"""What can break: each fault is data, and knows how it strikes and how it ends. Expects nothing."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from local_cloud import process_group
from tests.chaos.cloud import until
from tests.chaos.scene import Scene


class Fault(Protocol):
    """strike: begin. end: what heals by itself in the world, after the job was let go on."""

    def strike(self, scene: Scene) -> None: ...

    def end(self, scene: Scene) -> None: ...


class Lasting:
    """A fault that ends with its row."""

    def end(self, scene: Scene) -> None:
        """Nothing: the engine resets the cloud."""


@dataclass(frozen=True)
class WorkerSignal(Lasting):
    """A signal to the worker's processes. times: how often, each time at the same stage of the next run."""

    number: signal.Signals
    stage: str
    times: int = 1

    def strike(self, scene: Scene) -> None:
        for left in reversed(range(self.times)):
            process_group.send(int(scene.worker()["pid"]), self.number)
            if left:
                scene.again(self.stage)


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
class PortFault(Lasting):
    """A scripted fault of the public port: bucket (`* /cdn-cgi/local/r2/s3/*`) and hooks."""

    kind: str
    route: str
    more: dict[str, Any] = field(default_factory=dict)

    def strike(self, scene: Scene) -> None:
        scene.cloud.control("POST", "/faults", json={"kind": self.kind, "route": self.route, **self.more})


@dataclass(frozen=True)
class Both(Lasting):
    """Several faults at once."""

    faults: tuple[Fault, ...]

    def strike(self, scene: Scene) -> None:
        for fault in self.faults:
            fault.strike(scene)

    def end(self, scene: Scene) -> None:
        for fault in self.faults:
            fault.end(scene)


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
            until(lambda: _runpod_counts(scene)[self.after] == 0, f"RunPod has no job {self.after}")
            scene.cloud.runpod("PATCH", "/_control/clock", json={"advance_s": self.seconds})


@dataclass(frozen=True)
class WorkersMax:
    """RunPod lowers the endpoint to no worker; an operator raises it again, unless for_good."""

    for_good: bool = False

    def strike(self, scene: Scene) -> None:
        self._set(scene, 0)

    def end(self, scene: Scene) -> None:
        if not self.for_good:
            until(lambda: scene.project()["state"] == "queued", "the job waits")
            self._set(scene, 1)

    def _set(self, scene: Scene, count: int) -> None:
        scene.cloud.runpod("PATCH", f"/v2/serverless/{scene.cloud.endpoint}", json={"workers": {"max": count}})


@dataclass(frozen=True)
class EndpointDeleted(Lasting):
    """Somebody deletes the endpoint in RunPod's console."""

    def strike(self, scene: Scene) -> None:
        scene.cloud.runpod("DELETE", f"/v2/serverless/{scene.cloud.endpoint}")
        until(lambda: not scene.cloud.workers(), "its workers end")


@dataclass(frozen=True)
class EdgeKilled(Lasting):
    """The edge's processes and Durable Objects are killed, and start again from what is on disk."""

    def strike(self, scene: Scene) -> None:
        scene.cloud.kill("cloudflare")
        scene.cloud.start("cloudflare")


@dataclass(frozen=True)
class Frozen(Lasting):
    """The whole machine stands still: every process of the cloud and of its workers."""

    seconds: float

    def strike(self, scene: Scene) -> None:
        groups = [one.pid for one in scene.cloud.processes.values()]
        groups += [int(one["pid"]) for one in scene.cloud.workers() if one["pid"]]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for group in groups:
                process_group.send(group, number)
            if number is signal.SIGSTOP:
                time.sleep(self.seconds)  # the fault itself, not a wait for something


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


@dataclass(frozen=True)
class PhotoReplaced(Lasting):
    """After its upload, a photo is overwritten with other bytes of the same length."""

    content: bytes

    def strike(self, scene: Scene) -> None:
        name, before = next(iter(scene.photos.items()))
        body = self.content * (len(before) // len(self.content) + 1)
        scene.photos[name] = body[: len(before)]
        key = f"projects/{scene.id}/photos/{name}"
        scene.cloud.bucket().put_object(Bucket=scene.cloud.texts["S3_BUCKET"], Key=key, Body=scene.photos[name])


@dataclass(frozen=True)
class Limit(Lasting):
    """A limit of the stack has another value."""

    key: str
    value: float

    def strike(self, scene: Scene) -> None:
        limits = {**json.loads(scene.cloud.texts["LIMITS"]), self.key: self.value}
        scene.cloud.deploy(LIMITS=json.dumps(limits))

    def end(self, scene: Scene) -> None:
        scene.cloud.deploy()


@dataclass(frozen=True)
class Cancelled(Lasting):
    """The person cancels, while something else is broken."""

    meanwhile: tuple[Fault, ...] = ()

    def strike(self, scene: Scene) -> None:
        for fault in self.meanwhile:
            fault.strike(scene)
        scene.cancel()


def _runpod_counts(scene: Scene) -> dict[str, int]:
    counts: dict[str, int] = scene.cloud.runpod("GET", f"/v2/{scene.cloud.endpoint}/health").json()["jobs"]
    return counts


def _job(scene: Scene) -> dict[str, Any]:
    """RunPod's own record of the job that runs, as the control API shows it."""
    [job_id] = scene.worker()["jobs"]
    return dict(scene.cloud.runpod("GET", f"/_control/jobs/{job_id}").json())
