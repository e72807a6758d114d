"""The autoscaler's decisions as a table: a view of an endpoint in, starts and ends out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.runpod.account.state import EndpointSpec
from local_cloud.runpod.fleet.autoscaler import Decision, WorkerView, decide
from local_cloud.runpod.workers.model import Phase

from ..samples import spec

NOW_S = 1_000.0


def worker(name: str = "w", **changes: Any) -> WorkerView:
    fields: dict[str, Any] = {
        "id": name,
        "phase": Phase.READY,
        "busy": False,
        "stale": False,
        "draining": False,
        "idle_since_s": NOW_S,
    }
    return WorkerView(**(fields | changes))


def waiting(*waits_s: float) -> tuple[float, ...]:
    return waits_s


NOTHING = waiting()


@pytest.mark.parametrize(
    ("endpoint", "workers", "waits_s", "expected"),
    [
        pytest.param(spec(), [], NOTHING, Decision(), id="no demand, no worker"),
        pytest.param(spec(), [], waiting(0), Decision(start=1), id="from zero the first job starts one at once"),
        pytest.param(spec(workers_min=2), [], NOTHING, Decision(start=2), id="min is kept without demand"),
        pytest.param(spec(workers_max=0), [], waiting(99), Decision(), id="max 0 starts none"),
        pytest.param(spec(), [worker(busy=True)], waiting(3.9), Decision(), id="a wait below the delay adds none"),
        pytest.param(
            spec(), [worker(busy=True)], waiting(4.1), Decision(start=1), id="a wait above the delay adds one"
        ),
        pytest.param(
            spec(),
            [worker("a", busy=True), worker("b", phase=Phase.INITIALIZING)],
            waiting(9),
            Decision(),
            id="a worker that starts answers for one overdue job",
        ),
        pytest.param(spec(), [worker(busy=True)], waiting(9, 9, 9, 9), Decision(start=2), id="never above max"),
        pytest.param(spec(), [worker(idle_since_s=NOW_S - 9)], NOTHING, Decision(), id="idle but not for long enough"),
        pytest.param(
            spec(), [worker(idle_since_s=NOW_S - 10)], NOTHING, Decision(idle=("w",)), id="idle for long enough"
        ),
        pytest.param(
            spec(workers_min=1),
            [worker("a", idle_since_s=NOW_S - 20), worker("b", idle_since_s=NOW_S - 30)],
            NOTHING,
            Decision(idle=("b",)),
            id="the longest idle goes, min stays",
        ),
        pytest.param(
            spec(),
            [worker(stale=True)],
            NOTHING,
            Decision(end=(("w", "replaced by a new release"),)),
            id="an idle worker of an old release ends at once",
        ),
        pytest.param(
            spec(workers_min=1, workers_max=1),
            [worker(stale=True)],
            NOTHING,
            Decision(start=1, end=(("w", "replaced by a new release"),)),
            id="and is replaced at once",
        ),
        pytest.param(
            spec(workers_min=1, workers_max=1),
            [worker(stale=True, busy=True)],
            NOTHING,
            Decision(drain=("w",)),
            id="a busy one of an old release finishes first, and max is kept meanwhile",
        ),
        pytest.param(
            spec(workers_max=1),
            [worker("a", busy=True), worker("b", phase=Phase.INITIALIZING)],
            NOTHING,
            Decision(end=(("b", "above workers.max"),)),
            id="a lowered max takes those first that are not ready",
        ),
        pytest.param(
            spec(workers_max=0),
            [worker(busy=True)],
            waiting(9),
            Decision(drain=("w",)),
            id="a busy worker above max drains",
        ),
        pytest.param(
            spec(),
            [worker(draining=True)],
            NOTHING,
            Decision(end=(("w", "above workers.max"),)),
            id="a draining worker whose job was cancelled ends, too",
        ),
    ],
)
def test_a_decision(
    endpoint: EndpointSpec, workers: list[WorkerView], waits_s: tuple[float, ...], expected: Decision
) -> None:
    assert decide(endpoint, workers, waits_s, NOW_S) == expected


views = st.builds(
    WorkerView,
    id=st.integers(0, 10**6).map(str),
    phase=st.sampled_from([Phase.READY, Phase.INITIALIZING, Phase.THROTTLED, Phase.UNHEALTHY]),
    busy=st.booleans(),
    stale=st.booleans(),
    draining=st.booleans(),
    idle_since_s=st.one_of(st.none(), st.floats(0, NOW_S)),
)


@given(
    low=st.integers(0, 4),
    extra=st.integers(0, 4),
    workers=st.lists(views, max_size=10, unique_by=lambda one: one.id),
    waits_s=st.lists(st.floats(0, 100), max_size=10),
)
def test_no_decision_ends_a_busy_worker_or_leaves_the_range_of_min_and_max(
    low: int, extra: int, workers: list[WorkerView], waits_s: list[float]
) -> None:
    endpoint = spec(workers_min=low, workers_max=low + extra, queue_delay_s=1)
    decision = decide(endpoint, workers, waiting(*waits_s), NOW_S)
    by_id = {one.id: one for one in workers}
    gone = {name for name, _ in decision.end} | set(decision.idle)
    assert not any(by_id[name].busy for name in gone)
    assert set(decision.drain).isdisjoint(gone)
    kept = len(workers) - len(gone)
    assert decision.start == 0 or kept + decision.start <= endpoint.workers_max
    serving = [one for one in workers if not one.stale and not one.draining and one.id not in decision.drain]
    before = len(serving)
    after = sum(one.id not in gone for one in serving) + decision.start
    assert after >= min(low, before + decision.start)
