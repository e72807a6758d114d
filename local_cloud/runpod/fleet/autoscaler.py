"""How many workers an endpoint should have, and which of them have to end.
Pure: a view of the endpoint comes in, a decision comes out; fleet.py carries it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from local_cloud.runpod.account.state import EndpointSpec
from local_cloud.runpod.workers.model import Phase


@dataclasses.dataclass(frozen=True, kw_only=True)
class WorkerView:
    """One worker that is not ending and not parked."""

    id: str
    phase: Phase
    busy: bool
    stale: bool
    draining: bool
    idle_since_s: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision:
    start: int = 0
    end: tuple[tuple[str, str], ...] = ()  # (worker id, reason): can end at once
    drain: tuple[str, ...] = ()  # finish the job, take no more
    idle: tuple[str, ...] = ()  # idle long enough: end, or park where FlashBoot is on


def decide(spec: EndpointSpec, workers: Sequence[WorkerView], waits_s: Sequence[float], now_s: float) -> Decision:
    """Replaces old releases first, then keeps to max, then follows the demand, then ends or parks idle workers.

    waits_s: how long each waiting job has waited, without lowPriority jobs, which never add workers.
    """
    leaving = [one for one in workers if one.stale or one.draining]
    end = [(one.id, _why_leaving(one)) for one in leaving if not one.busy]
    drain = [one.id for one in leaving if one.busy and not one.draining]
    kept = len(workers) - len(end)

    # Draining workers end by themselves, so a lowered max need not end a ready worker in their place.
    serving = [one for one in workers if not one.stale and not one.draining]
    for one in sorted(serving, key=_first_to_go)[: max(0, len(serving) - spec.workers_max)]:
        serving.remove(one)
        if one.busy:
            drain.append(one.id)
        else:
            end.append((one.id, "above workers.max"))
            kept -= 1

    wanted = _wanted(spec, serving, waits_s)
    start = max(0, min(wanted - len(serving), spec.workers_max - kept))
    idle = () if start else _idle_too_long(spec, serving, now_s)
    return Decision(start=start, end=tuple(end), drain=tuple(drain), idle=idle)


def _why_leaving(one: WorkerView) -> str:
    return "replaced by a new release" if one.stale else "above workers.max"


def _first_to_go(one: WorkerView) -> tuple[bool, bool, float]:
    """Workers that are not ready first, then the longest idle, busy workers last."""
    return (one.busy, one.phase is Phase.READY, one.idle_since_s or 0.0)


def _wanted(spec: EndpointSpec, serving: Sequence[WorkerView], waits_s: Sequence[float]) -> int:
    overdue = sum(wait_s > spec.queue_delay_s for wait_s in waits_s)
    busy = sum(one.busy for one in serving)
    wanted = max(len(serving), busy + overdue)
    if waits_s and not serving:
        # From zero the first request starts a worker at once, without the queue delay (guess).
        wanted = max(wanted, 1)
    return min(max(wanted, spec.workers_min), spec.workers_max)


def _idle_too_long(spec: EndpointSpec, serving: Sequence[WorkerView], now_s: float) -> tuple[str, ...]:
    idle = sorted(
        (one for one in serving if one.phase is Phase.READY and not one.busy),
        key=lambda one: one.idle_since_s or 0.0,
    )
    expired = [one.id for one in idle if now_s - (one.idle_since_s or 0.0) >= spec.idle_timeout_s]
    return tuple(expired[: max(0, len(serving) - spec.workers_min)])
