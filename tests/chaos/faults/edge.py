"""Faults of the edge: its processes and clock, its settings and keys, and its ways to the bucket."""

from __future__ import annotations

import json
import os
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from local_cloud import clock_skew
from tests.chaos.cloud import until
from tests.chaos.faults.base import Lasting
from tests.chaos.scene import Scene


@dataclass(frozen=True)
class PortFault(Lasting):
    """A scripted fault of the public port: bucket (`* /cdn-cgi/local/r2/s3/*`) and hooks."""

    kind: str
    route: str
    more: dict[str, Any] = field(default_factory=dict)

    def strike(self, scene: Scene) -> None:
        scene.cloud.control("POST", "/faults", json={"kind": self.kind, "route": self.route, **self.more})


@dataclass(frozen=True)
class EdgeKilled(Lasting):
    """The edge's processes and Durable Objects are killed, and start again from what is on disk."""

    def strike(self, scene: Scene) -> None:
        scene.cloud.kill("cloudflare")
        scene.cloud.start("cloudflare")


@dataclass(frozen=True)
class EdgeKilledIn:
    """The edge is killed while it waits for RunPod's answer to a route, and starts again. effect: whether RunPod does
    what it was asked."""

    route: str
    effect: bool = False

    def strike(self, scene: Scene) -> None:
        kind = "late_answer" if self.effect else "latency"
        fault = {"kind": kind, "route": self.route, "latency_s": 30.0}
        number = scene.cloud.runpod("POST", "/_control/faults", json=fault).json()["id"]
        pool = ThreadPoolExecutor(1)
        scene.side.append(pool.submit(self._kill, scene, number))
        pool.shutdown(wait=False)

    def end(self, scene: Scene) -> None:
        for one in scene.side:
            one.result()

    def _kill(self, scene: Scene, number: int) -> None:
        def struck() -> bool:
            faults = scene.cloud.runpod("GET", "/_control/faults").json()["faults"]
            return any(one["id"] == number and one["struck"] for one in faults)

        until(struck, f"the edge calls {self.route}")
        EdgeKilled().strike(scene)


@dataclass(frozen=True)
class EdgeClock(Lasting):
    """The edge and its bucket read a clock that is ahead, from a restart on: so time passes for both."""

    seconds: int

    def strike(self, scene: Scene) -> None:
        scene.cloud.kill("cloudflare")
        scene.cloud.start("cloudflare", clock_skew_s=self.seconds)

    @property
    def is_possible(self) -> bool:
        return clock_skew.is_possible()


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
class HookKeysRotated(Lasting):
    """The key of addresses and sessions is replaced. times: more than once invalidates those of a job that runs."""

    times: int = 1

    def strike(self, scene: Scene) -> None:
        for _ in range(self.times):
            current = json.loads(scene.cloud.texts["HOOK_KEYS"])[0]
            fresh = b64encode(os.urandom(32)).decode()
            scene.cloud.texts["HOOK_KEYS"] = json.dumps([fresh, current])
        scene.cloud.deploy()


@dataclass(frozen=True)
class TwoDeployments(Lasting):
    """Two operators deploy at the same time."""

    def strike(self, scene: Scene) -> None:
        at_once([scene.cloud.deploy, scene.cloud.deploy])


def at_once(calls: list[Any]) -> list[Any]:
    """The answers of calls that were made at the same time. Raises the first exception of one."""
    answers: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def make(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = calls[number]()
        except (AssertionError, httpx.HTTPError) as error:
            answers[number] = error

    threads = [threading.Thread(target=make, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
