"""Progress is limited to one event per second, except for a new stage and a preview."""

from __future__ import annotations

from splat_worker.errors import Stage
from splat_worker.progress import Event, Preview, Throttle


def event(stage: Stage = Stage.TRAIN, fraction: float = 0.5, preview: Preview | None = None) -> Event:
    return Event(stage=stage, fraction=fraction, message="m", preview=preview)


def test_one_event_per_second_plus_each_new_stage_and_preview() -> None:
    now, sent = [0.0], []
    throttle = Throttle(sent.append, clock=lambda: now[0])
    rows = [
        (0.0, event(), True),
        (0.4, event(), False),
        (0.5, event(stage=Stage.EXPORT), True),
        (0.6, event(stage=Stage.EXPORT), False),
        (0.7, event(stage=Stage.EXPORT, preview=Preview(artifact="preview.sog", seq=1)), True),
        (1.6, event(stage=Stage.EXPORT), False),
        (1.8, event(stage=Stage.EXPORT), True),
    ]
    for at, item, expected in rows:
        now[0], before = at, len(sent)
        throttle(item)
        assert (len(sent) > before) is expected, at
