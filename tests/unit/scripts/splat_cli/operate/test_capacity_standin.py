"""The replay against the RunPod stand-in: the same load on its whole platform (queue, autoscaler, fleet, FlashBoot,
meter), with echo workers in this process and a clock that the test moves. Nothing here waits for real time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.settings.presets import SCALING_PRESETS, Scaling
from local_cloud.runpod import platform as standin
from local_cloud.runpod.account.state import Endpoint, GpuSpec, Release
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.jobs.model import Policy
from local_cloud.runpod.jobs.wire import Submission
from local_cloud.runpod.workers.logs import WorkerLog
from scripts.splat_cli.operate.capacity import Load, arrivals, replay
from scripts.splat_cli.operate.figures import percentile
from tests.unit.local_cloud.runpod.samples import spec

HOURS = 1.0
STEP_S = 0.5
TURNS = 12  # of the event loop after each step, so that everything that is due has run
NEAR = 0.1
LOAD = Load(jobs_per_h=40, job_s=70, start_s=30)


class EchoProcess:
    """A worker's process that does nothing: the test itself takes and answers its jobs."""

    pid = 1

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self.parked = False

    def signal_group(self, number: int) -> None:
        self.parked = number == signal.SIGSTOP

    async def wait(self) -> int:
        await self._over.wait()
        return 0

    async def end(self, _grace_s: float) -> None:
        self._over.set()


class EchoLauncher:
    """Starts echo processes, at once: the start's time is the setting start_delay_s."""

    def __init__(self, *, folder: Path, now: Any, **_: Any) -> None:
        self._folder, self._now = folder, now

    def log(self, _endpoint_id: str, worker_id: str) -> WorkerLog:
        return WorkerLog(self._folder / f"{worker_id}.log", self._now)

    async def start(self, _endpoint: Endpoint, _worker: Any) -> EchoProcess:
        return EchoProcess()

    async def end(self, worker: Any) -> None:
        if worker.process is not None:
            await worker.process.end(0)
        worker.log.close()


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What the stand-in did. billed_s: seconds of all workers."""

    waits: Sequence[float]
    billed_s: float


async def measure(folder: Path, load: Load, scaling: Scaling, times: Sequence[float]) -> Measured:
    """Runs the load on the stand-in for HOURS of its own time."""
    numbers = SCALING_PRESETS[scaling]
    platform = standin.Platform(standin.Options(api_key="k", base_url="http://127.0.0.1:1", folder=folder, seed=1))
    platform.settings.start_delay_s = load.start_s
    platform.settings.flashboot_start_delay_s = load.wake_s or 0.0
    wanted = spec(
        gpu=GpuSpec(pools=("ADA_24",)),
        workers_min=numbers.workers_min,
        workers_max=numbers.workers_max,
        idle_timeout_s=numbers.idle_timeout_s,
        timeout_ms=10**7,
        flashboot="OFF" if load.wake_s is None else "FLASHBOOT",
    )
    release = Release(id="r", version=1, created_at_s=platform.clock.now(), diff=())
    endpoint = Endpoint(id="e", created_at_s=platform.clock.now(), releases=(release,), spec=wanted)
    began_s = platform.clock.now()
    platform.put_endpoint(endpoint)
    coming, jobs, ends = list(times), [], {}
    while (elapsed_s := platform.clock.now() - began_s) < HOURS * 3600:
        while coming and coming[0] <= elapsed_s:
            submission = Submission(request={"input": {}}, policy=Policy())
            jobs.append(platform.dispatcher.submit("e", submission, sync=False, kept_s=10**6))
            platform.requested(endpoint)
            coming.pop(0)
        work(platform, ends, load.job_s)
        platform.tick()
        platform.clock.advance(STEP_S)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    running = [platform.meter.so_far(one) for one in platform.fleet.all()]
    stretches = [*platform.account.usage, *(one for one in running if one is not None)]
    await platform.stop()
    waits = [job.started_s - job.submitted_s for job in jobs if job.started_s is not None]
    return Measured(waits=waits, billed_s=sum(one.end_s - one.start_s for one in stretches))


def work(platform: standin.Platform, ends: dict[str, float], job_s: float) -> None:
    """Every worker whose process runs answers a job that is due, else asks for one."""
    now = platform.clock.now()
    for worker in platform.fleet.of_endpoint("e"):
        if worker.process is None or worker.process.parked:
            continue
        for job_id in [one for one in worker.jobs if ends[one] <= now]:
            platform.dispatcher.result(worker, job_id, {"output": "echo"})
            platform.lifecycle.job_done(worker)
        if not worker.jobs:
            platform.lifecycle.polled(worker)
            for job in platform.dispatcher.hand_over(worker, 1):
                ends[job.id] = now + job_s


@pytest.mark.parametrize("wake_s", [None, 4.0], ids=["without FlashBoot", "with FlashBoot"])
@pytest.mark.parametrize("scaling", list(Scaling))
def test_waits_and_cost_are_within_a_tenth_of_what_the_stand_in_does(
    scaling: Scaling, wake_s: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standin, "Clock", lambda: Clock(wall=lambda: 1e9, monotonic=lambda: 0.0))
    monkeypatch.setattr(standin, "Launcher", EchoLauncher)
    load = dataclasses.replace(LOAD, wake_s=wake_s)
    times = arrivals(load.jobs_per_h, HOURS)
    predicted = replay(load, SCALING_PRESETS[scaling], times, hours=HOURS)

    # A loop of its own: asyncio.run would also take away the thread's, which Pulumi's mocks use in other tests.
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        measured = loop.run_until_complete(measure(tmp_path, load, scaling, times))

    assert predicted.jobs == pytest.approx(len(measured.waits), abs=1)
    assert predicted.billed_s == pytest.approx(measured.billed_s, rel=NEAR)
    # A second, the replay's tick, where waits are short.
    for percent, wait_s in ((50, predicted.wait_p50_s), (95, predicted.wait_p95_s)):
        assert wait_s == pytest.approx(percentile(measured.waits, percent), rel=NEAR, abs=1.0)
