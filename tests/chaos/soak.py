"""Mixes of faults, drawn from a seed: the same seed and step are always the same mix. Pure but for `carry_out`."""

from __future__ import annotations

import dataclasses
import random
import signal
from collections.abc import Callable

from tests.chaos.cloud import Cloud, until
from tests.chaos.drill import once_more
from tests.chaos.faults.base import Fault
from tests.chaos.faults.edge import EdgeKilled, HookKeysRotated, TwoDeployments
from tests.chaos.faults.people import Cancelled, CancelledInTwoTabs, PhotoDeletedWhileItRuns
from tests.chaos.faults.runpod import KeyRevoked, Release, RunPodFault, Webhook
from tests.chaos.faults.worker import Frozen, InChild, WorkerSignal
from tests.chaos.rows.bucket import BINDING
from tests.chaos.rows.messages import HOOK
from tests.chaos.rows.row import CANCEL, PROGRESS, RESULT, RUN, S3, STATUS, port, sent
from tests.chaos.scene import STAGES, Scene

# Every fault below ends, so the job must, too.
END_S = 150.0
HTTP_ROUTES = (RUN, STATUS, CANCEL, RESULT)
PORT_ROUTES = (HOOK, PROGRESS, f"GET {S3}", f"PUT {S3}", f"{BINDING}/list/*", f"{BINDING}/get/*")
BROKEN = ("status", "lost_answer", "reset", "failed_answer")
FAULTS_MAX = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Step:
    """early: armed before the start, at most one each of a kind. late: strike at a stage, in this order."""

    number: int
    stage: str
    early: tuple[Fault, ...]
    late: tuple[Fault, ...]

    def __str__(self) -> str:
        return f"step {self.number}: {[*self.early]} before the start, {[*self.late]} at {self.stage}"


def plan(seed: int, number: int) -> Step:
    """The mix of a step."""
    draw = random.Random(f"{seed}/{number}")
    stage = draw.choice(STAGES)
    count = draw.randint(1, FAULTS_MAX)
    early = draw.randint(0, count)
    # Of what hits the job itself, one: after it, the job may be at another worker, or gone.
    late = [draw.choice(AROUND)(draw, stage) for _ in range(count - early - 1)]
    late += [draw.choice(AT_JOB)(draw, stage)] if count > early else []
    return Step(
        number=number,
        stage=stage,
        early=tuple(draw.choice(EARLY)(draw, stage) for _ in range(early)),
        late=tuple(late),
    )


def carry_out(cloud: Cloud, step: Step) -> str:
    """The state in which the step's job ended. Raises AssertionError with what does not hold."""
    cloud.reset()
    scene = Scene.uploaded(cloud, f"soak {step.number}")
    try:
        for fault in step.early:
            fault.strike(scene)
        scene.gate(step.stage, closed=True)
        scene.start()
        if _reaches(scene, step.stage):
            for fault in step.late:
                fault.strike(scene)
            scene.gate(step.stage, closed=False)
            for fault in step.late:
                fault.end(scene)
        state = str(until(scene.ended, "the job ends", END_S))
        cloud.heal()
        scene.check_advice(state)
        scene.check_whole(state)
        if state != "done":
            once_more(scene)
        return state
    finally:
        for stage in STAGES:
            scene.gate(stage, closed=False)
        scene.close()


def _reaches(scene: Scene, stage: str) -> bool:
    """Whether the job comes to the stage; an early fault may end it before."""
    reached = scene.cloud.gates / f"{scene.id}.{stage}.reached"
    until(lambda: reached.exists() or scene.ended(), f"the job reaches {stage} or ends", END_S)
    return reached.exists() and not scene.ended()


Make = Callable[[random.Random, str], Fault]

EARLY: tuple[Make, ...] = (
    lambda draw, _: sent(draw.choice(BROKEN), draw.choice(HTTP_ROUTES[1:])),
    lambda draw, _: sent("late_answer", draw.choice(HTTP_ROUTES), latency_s=draw.uniform(0.5, 5)),
    # Not one that leaves the start unknown without a job: that ends after 15 minutes (rows of rows/runpod.py).
    lambda draw, _: sent(draw.choice(("lost_answer", "failed_answer")), RUN),
    lambda draw, _: sent("status", RUN, status=draw.choice((429, 503))),
    lambda draw, _: port(draw.choice(("status", "latency")), draw.choice(PORT_ROUTES), times=draw.randint(1, 3)),
    lambda draw, _: port(draw.choice(("reset", "lost_answer")), draw.choice(PORT_ROUTES[:4]), times=draw.randint(1, 2)),
    lambda draw, _: RunPodFault(draw.choice(("webhook_dropped", "webhook_doubled"))),
)
AROUND: tuple[Make, ...] = (
    lambda *_: EdgeKilled(),
    lambda *_: HookKeysRotated(),
    lambda *_: TwoDeployments(),
    lambda *_: Release(),
    lambda *_: PhotoDeletedWhileItRuns(),
    lambda draw, _: Webhook(forged=draw.random() < 0.5),
    lambda draw, _: Frozen(draw.uniform(0.5, 3)),
)
AT_JOB: tuple[Make, ...] = (
    lambda draw, stage: WorkerSignal(signal.SIGKILL, stage),
    lambda draw, stage: WorkerSignal(signal.SIGSTOP, stage),
    lambda draw, stage: InChild(draw.choice(("memory", "killed")), stage),
    lambda *_: KeyRevoked(),
    lambda *_: Cancelled(),
    lambda *_: CancelledInTwoTabs(),
    *AROUND,
)
