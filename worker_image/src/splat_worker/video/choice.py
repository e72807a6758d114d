"""Which frames of a clip become photos. Pure: places along the camera's way in, chosen places and gaps out.

A place is a short stretch of the clip in which the picture hardly moves, with its sharpest frame. The way counts the
picture's motion and not seconds, so that a still part takes one frame and a fast part many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from splat_worker.limits import VIDEO_FRAMES_MAX, VIDEO_FRAMES_MIN, VIDEO_FRAMES_PER_S

STEP = 0.05
"""Motion between chosen frames, as a share of the longer side: neighbours overlap by nine tenths, which the still
parts of a scene need to be matched over several frames."""
STEP_LEAST = 0.015
FRAMES_LEAST = 30
"""Where STEP gives fewer frames, they are chosen closer, down to STEP_LEAST."""
GAP_LEAST = 0.4
"""Of a step: two chosen frames are at least that far apart."""
BLURRED_SHARE = 0.25
"""Detail relative to the clip's sharp frames (90th percentile) below which a place is blurred."""
NEARLY_AS_SHARP = 0.85
STILL_MIN_S, BLURRED_MIN_S = 1.0, 0.3
"""Shortest gaps that a report names."""


def frames_wanted(seconds: float) -> int:
    """How many frames a clip of this length gives at most. Page, command line and price use the same rule
    (docs/contracts/video.json)."""
    return min(max(round(VIDEO_FRAMES_PER_S * seconds), VIDEO_FRAMES_MIN), VIDEO_FRAMES_MAX)


class Dropped(StrEnum):
    """Why a stretch of a clip gave no frame."""

    BLURRED = "BLURRED"
    STILL = "STILL"
    NOT_READ = "NOT_READ"


REASONS = {
    Dropped.BLURRED: "Every frame is blurred. Move slower, or use more light.",
    Dropped.STILL: "The picture stands still. One frame of it is used.",
    Dropped.NOT_READ: "The clip could not be read to its end in the time it has. Use a shorter or smaller clip.",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """way: motion from the clip's begin to here; detail: of the sharpest frame, at time_s."""

    way: float
    begin_s: float
    end_s: float
    time_s: float
    detail: float


@dataclass(frozen=True, kw_only=True)
class Gap:
    begin_s: float
    end_s: float
    code: Dropped


@dataclass(frozen=True, kw_only=True)
class Choice:
    """chosen: indices of places, in order."""

    chosen: tuple[int, ...]
    gaps: tuple[Gap, ...]


def choose(places: Sequence[Place], frames_max: int) -> Choice:
    """At most `frames_max` places: of each step of the way the sharpest one, blurred ones left out."""
    if not places:
        return Choice(chosen=(), gaps=())
    blurred = _blurred(places)
    way = places[-1].way - places[0].way
    count = max(way / STEP, min(FRAMES_LEAST, way / STEP_LEAST))
    count = max(1, min(frames_max, int(count) + 1))
    step = way / count if way > 0 else 1.0
    chosen: list[int] = []
    for number in range(count):
        begin = places[0].way + number * step
        found = [
            i
            for i, place in enumerate(places)
            if not blurred[i] and begin <= place.way and (place.way < begin + step or number == count - 1)
        ]
        if not found:
            continue
        best = _best(places, found, begin + step / 2)
        if chosen and places[best].way - places[chosen[-1]].way < GAP_LEAST * step:
            if places[best].detail > places[chosen[-1]].detail:
                chosen[-1] = best
            continue
        chosen.append(best)
    return Choice(chosen=tuple(chosen), gaps=_gaps(places, blurred))


def _best(places: Sequence[Place], found: Sequence[int], middle: float) -> int:
    """Of those nearly as sharp as the sharpest, the one nearest to the middle, so that frames stay evenly apart."""
    sharpest = max(places[i].detail for i in found)
    sharp = [i for i in found if places[i].detail >= NEARLY_AS_SHARP * sharpest]
    return min(sharp, key=lambda i: abs(places[i].way - middle))


def _blurred(places: Sequence[Place]) -> list[bool]:
    sharp = float(np.quantile([place.detail for place in places], 0.9))
    return [place.detail < BLURRED_SHARE * sharp for place in places]


def _gaps(places: Sequence[Place], blurred: Sequence[bool]) -> tuple[Gap, ...]:
    """Runs of blurred places, and single places that last."""
    gaps: list[Gap] = []
    for i, place in enumerate(places):
        if blurred[i]:
            if gaps and gaps[-1].code is Dropped.BLURRED and i > 0 and blurred[i - 1]:
                gaps[-1] = Gap(begin_s=gaps[-1].begin_s, end_s=place.end_s, code=Dropped.BLURRED)
            else:
                gaps.append(Gap(begin_s=place.begin_s, end_s=place.end_s, code=Dropped.BLURRED))
        elif place.end_s - place.begin_s >= STILL_MIN_S:
            gaps.append(Gap(begin_s=place.begin_s, end_s=place.end_s, code=Dropped.STILL))
    least = {Dropped.BLURRED: BLURRED_MIN_S, Dropped.STILL: STILL_MIN_S, Dropped.NOT_READ: 0.0}
    return tuple(gap for gap in gaps if gap.end_s - gap.begin_s >= least[gap.code])
