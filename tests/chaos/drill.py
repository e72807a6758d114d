"""Carries one row out: a job, the fault at its moment, and afterwards everything that must hold.
The same for every row; what is special about a fault is in faults.py."""

from __future__ import annotations

from tests.chaos.cloud import Cloud
from tests.chaos.rows import START, Row
from tests.chaos.scene import Scene


def drill(cloud: Cloud, row: Row) -> float:
    """Seconds from the fault to the expected state. Raises AssertionError with what does not hold."""
    cloud.reset()
    scene = Scene.uploaded(cloud, row.what)
    try:
        if row.before is not None:
            row.before.strike(scene)
        if row.when == START:
            row.fault.strike(scene)
            scene.start()
        else:
            scene.gate(row.when, closed=True)
            scene.start()
            scene.at(row.when)
            row.fault.strike(scene)
            scene.gate(row.when, closed=False)
        row.fault.end(scene)
        seconds = scene.wait(row.state, row.within_s)
        cloud.heal()
        scene.check_nothing_runs()
        scene.check_words(row.user, row.operator)
        scene.check_photos()
        scene.check_cost(row.state)
        if row.state == "done":
            scene.check_artifacts()
        elif row.heals:
            _once_more(scene)
        return seconds
    finally:
        if row.when != START:
            scene.gate(row.when, closed=False)


def _once_more(scene: Scene) -> None:
    """Nothing is stuck: with the fault gone, the same project becomes a scene."""
    scene.cloud.reset()
    scene.refusal = {}
    scene.start()
    assert scene.refusal == {}, scene.refusal
    scene.wait("done", 60)
    scene.check_artifacts()
