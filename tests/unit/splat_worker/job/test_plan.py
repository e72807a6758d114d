"""The cameras of a progress message: a ring stays a ring, seen from above, and looks inwards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from splat_worker.errors import Stage
from splat_worker.job.plan import CAMERAS_MAX, plan_of
from splat_worker.progress import Event, Throttle


def ring(count: int, *, tilt: np.ndarray | None = None) -> np.ndarray:
    """(count, 3, 4): level cameras on a circle, looking at its middle; y points down. tilt: a rotation of the world."""
    poses = []
    for turn in np.linspace(0, 2 * np.pi, count, endpoint=False):
        centre = np.array([3 * np.cos(turn), 0.0, 3 * np.sin(turn)])
        forward, down = -centre / 3, np.array([0.0, 1.0, 0.0])
        rotation = np.stack([np.cross(down, forward), down, forward])
        if tilt is not None:
            rotation, centre = rotation @ tilt.T, tilt @ centre
        poses.append(np.hstack([rotation, -(rotation @ centre)[:, None]]))
    return np.array(poses)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_ring_of_cameras_is_a_ring_whatever_the_frame(seed: int | None) -> None:
    tilt = None if seed is None else np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    if tilt is not None and np.linalg.det(tilt) < 0:
        tilt[:, 0] *= -1
    plan = np.array(plan_of(ring(8, tilt=tilt)))
    assert np.abs(np.hypot(plan[:, 0], plan[:, 1]) - 100).max() <= 1
    assert np.abs(plan[:, :2] + plan[:, 2:]).max() <= 2
    steps = np.hypot(*(plan[:, :2] - np.roll(plan[:, :2], 1, axis=0)).T)
    assert steps.max() - steps.min() < 3


def test_a_large_set_fits_a_message_and_a_tiny_one_has_no_plan() -> None:
    plan = plan_of(ring(1000))
    assert len(plan) == CAMERAS_MAX
    assert len(json.dumps(plan)) < 12_000
    assert plan_of(ring(1)) == ()


def test_new_cameras_are_sent_at_once() -> None:
    sent: list[Event] = []
    throttle = Throttle(sent.append, clock=lambda: 0.0)
    plan = plan_of(ring(3))
    throttle(Event(stage=Stage.SFM, fraction=0.1, message="a"))
    throttle(Event(stage=Stage.SFM, fraction=0.2, message="b"))
    throttle(Event(stage=Stage.SFM, fraction=0.3, message="c", cameras=plan))
    assert [event.message for event in sent] == ["a", "c"]
    assert sent[1].wire()["cameras"] == [list(camera) for camera in plan]
    assert sent[0].wire()["cameras"] is None
