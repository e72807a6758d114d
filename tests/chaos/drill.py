"""Carries one row out: a job, the fault at its moment, and afterwards everything that must hold.
The same for every row; what is special about a fault is in faults/."""

from __future__ import annotations

import re

from tests.chaos.cloud import Cloud
from tests.chaos.rows.row import START, UPLOADS, Row
from tests.chaos.scene import STAGES, Scene


def drill(cloud: Cloud, row: Row) -> float:
    """Seconds from the fault to the expected state. Raises AssertionError with what does not hold."""
    cloud.reset()
    scene = Scene.uploaded(cloud, row.what, row.fault.strike if row.when == UPLOADS else None)
    try:
        if row.before is not None:
            row.before.strike(scene)
        if row.when in STAGES:
            scene.gate(row.when, closed=True)
            scene.start()
            scene.at(row.when)
            row.fault.strike(scene)
            scene.gate(row.when, closed=False)
        else:
            if row.when == START:
                row.fault.strike(scene)
            scene.start()
        row.fault.end(scene)
        seconds = scene.wait(row.state, row.within_s)
        cloud.heal()
        _check_notice(scene, row.notice)
        scene.check_words(row.user, row.operator)
        scene.check_whole(row.state)
        if row.state != "done":
            once_more(scene)
        return seconds
    finally:
        for stage in STAGES:
            scene.gate(stage, closed=False)
        scene.close()


def once_more(scene: Scene) -> None:
    """Nothing is stuck: with the fault gone, the same project becomes a scene, and what was saved is not done again."""
    scene.cloud.reset()
    scene.refusal = {}
    scene.started = False
    while scene.advised:
        scene.advised.pop()()
    scene.start()
    assert scene.refusal == {}, scene.refusal
    scene.wait("done", 60)
    scene.check_work()
    scene.check_photos()
    scene.check_artifacts()


def _check_notice(scene: Scene, notice: str) -> None:
    if notice:
        assert [one for one in scene.notices if re.search(notice, one)], f"the person read {scene.notices}"
