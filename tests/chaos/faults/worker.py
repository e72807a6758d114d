"""Faults of the worker: its processes, its memory, disk and clock, its answers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from local_cloud import clock_skew, process_group
from local_cloud.runpod.workers import disk
from tests.chaos.cloud import Cloud, until
from tests.chaos.faults.base import Lasting
from tests.chaos.scene import Scene


@dataclass(frozen=True)
class WorkerSignal(Lasting):
    """A signal to all of the worker's processes. times: how often, each time at the same stage of the next run."""

    number: signal.Signals
    stage: str
    times: int = 1

    def strike(self, scene: Scene) -> None:
        for left in reversed(range(self.times)):
            send_to_tree(int(scene.worker()["pid"]), self.number)
            if left:
                scene.again(self.stage)


@dataclass(frozen=True)
class InChild(Lasting):
    """Something goes wrong in the worker's child process at a stage (tests/chaos/worker/acts.py). At `answer`: what
    the handler answers is spoilt."""

    act: str
    stage: str

    def strike(self, scene: Scene) -> None:
        (scene.cloud.gates / f"{scene.id}.{self.stage}.act").write_text(self.act)

    @property
    def is_possible(self) -> bool:
        return self.act != "disk" or disk.is_possible()


@dataclass(frozen=True)
class WorkerClock(Lasting):
    """The worker's clock is wrong by so many seconds."""

    seconds: int

    def strike(self, scene: Scene) -> None:
        self._set(scene, self.seconds)
        scene.at_end(lambda: self._set(scene, 0))

    def _set(self, scene: Scene, seconds: int) -> None:
        scene.cloud.runpod("PATCH", "/_control/settings", json={"worker_clock_skew_s": seconds})
        end_idle_workers(scene.cloud)

    @property
    def is_possible(self) -> bool:
        return clock_skew.is_possible()


@dataclass(frozen=True)
class Frozen(Lasting):
    """The whole machine stands still: every process of the cloud and of its workers."""

    seconds: float

    def strike(self, scene: Scene) -> None:
        leaders = [one.pid for one in scene.cloud.processes.values()]
        leaders += [int(one["pid"]) for one in scene.cloud.workers() if one["pid"]]
        for leader in leaders:
            send_to_tree(leader, signal.SIGSTOP)
        time.sleep(self.seconds)  # the fault itself, not a wait for something
        for leader in leaders:
            send_to_tree(leader, signal.SIGCONT)


def end_idle_workers(cloud: Cloud) -> None:
    """The next job gets a new worker."""
    idle = [one for one in cloud.workers() if one["pid"] and not one["jobs"]]
    for one in idle:
        cloud.runpod("POST", f"/_control/workers/{one['id']}/kill")
    gone = {one["id"] for one in idle}
    until(lambda: not gone & {one["id"] for one in cloud.workers() if one["phase"] == "READY"}, "idle workers end")


def send_to_tree(leader: int, number: signal.Signals) -> None:
    """A signal to the group of `leader` and to every descendant: a worker's child leads a group of its own."""
    found = _descendants(leader)
    process_group.send(leader, number)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _descendants(leader: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [leader]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found
