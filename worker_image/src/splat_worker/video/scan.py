"""One pass over a clip: the sharpest frame of each short slot of time, gathered into places, each written as a JPEG.

Decoding dominates. When it falls behind its time, frames that no other frame needs are skipped, then all but
keyframes; at the end of the time the rest of the clip stays unread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from splat_worker.limits import VIDEO_PIXELS_MAX, VIDEO_SECONDS_MAX
from splat_worker.photos.reject import Refused, Reject
from splat_worker.video.choice import Dropped, Gap, Place
from splat_worker.video.clip import DAMAGED, Clip, grey_of, picture_of
from splat_worker.video.motion import SIDE_PX, Grey, shift_between
from splat_worker.video.sharpness import detail_along

SLOT_S_MIN, SLOT_S_MAX = 1 / 15, 1 / 3
SLOTS_PER_FRAME = 4
PLACE_MOTION = 0.01
"""Motion as a share of the longer side from which on a new place begins."""
LOST_MOTION = 0.08
"""Motion that counts where it cannot be followed: a little more than motion.py finds."""
BETTER = 1.1
JPEG_QUALITY = 97
BEHIND = (("DEFAULT", 0.0), ("NONREF", 0.05), ("NONKEY", 0.15))
"""What to decode, by how far the share of the time used is ahead of the share of the clip read."""
DAMAGED_PACKETS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Scan:
    """places and files belong together; unread: the end of the clip, if it was not reached."""

    places: tuple[Place, ...]
    files: tuple[Path, ...]
    seconds: float
    unread: Gap | None


@dataclass(frozen=True, kw_only=True)
class _Shot:
    """The sharpest frame of a slot so far."""

    frame: VideoFrame
    grey: Image.Image
    time_s: float
    detail: float


def scan(
    clip: Clip,
    folder: Path,
    *,
    side_max_px: int,
    frames_max: int,
    seconds_max: float,
    on_progress: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> Scan:
    """Raises Refused if no frame can be read."""
    slot_s = min(max(clip.seconds / (SLOTS_PER_FRAME * max(1, frames_max)), SLOT_S_MIN), SLOT_S_MAX)
    gathered = _Places(folder, clip, side_max_px)
    pace = _Pace(clip, seconds_max, clock)
    best: _Shot | None = None
    slot, last_s = -1, 0.0
    for frame, time_s in _frames(clip, pace):
        if frame.width * frame.height > VIDEO_PIXELS_MAX:
            raise Refused(Reject.TOO_LARGE, DAMAGED)
        last_s = max(last_s, time_s)
        grey = grey_of(frame)
        shot = _Shot(frame=frame, grey=grey, time_s=time_s, detail=detail_along(grey))
        if int(time_s / slot_s) != slot and best is not None:
            gathered.add(best, time_s)
            best = None
            on_progress(min(1.0, time_s / max(clip.seconds, 1e-3)))
        slot = int(time_s / slot_s)
        if best is None or shot.detail > best.detail:
            best = shot
    if best is not None:
        gathered.add(best, last_s)
    if not gathered.places:
        raise Refused(Reject.UNREADABLE, DAMAGED)
    end_s = max(last_s, clip.seconds)
    short = pace.ended_early or clip.seconds - last_s > max(1.0, 0.05 * clip.seconds)
    unread = Gap(begin_s=last_s, end_s=end_s, code=Dropped.NOT_READ) if short else None
    return Scan(places=tuple(gathered.places), files=tuple(gathered.files), seconds=end_s, unread=unread)


class _Pace:
    """How thoroughly to decode, so that the pass ends in time."""

    def __init__(self, clip: Clip, seconds_max: float, clock: Callable[[], float]) -> None:
        self._clip, self._max, self._clock = clip, seconds_max, clock
        self._began = clock()
        self.ended_early = False

    def keep(self, time_s: float) -> bool:
        """False when the time is used up."""
        used = (self._clock() - self._began) / self._max
        if used >= 1.0:
            self.ended_early = True
            return False
        behind = used - time_s / max(self._clip.seconds, 1e-3)
        self._clip.stream.codec_context.skip_frame = next(
            level for level, from_share in reversed(BEHIND) if behind >= from_share or from_share == 0.0
        )
        return True


def _frames(clip: Clip, pace: _Pace) -> Iterator[tuple[VideoFrame, float]]:
    """Whole frames with their seconds from the clip's begin, in order of time. A damaged part is left out."""
    begin_s: float | None = None
    damaged, time_s = 0, 0.0
    packets = clip.container.demux(clip.stream)
    while pace.keep(time_s):
        try:
            packet = next(packets, None)
            if packet is None:
                return
            frames = packet.decode()
        except av.error.FFmpegError:
            damaged += 1
            if damaged > DAMAGED_PACKETS_MAX:
                return
            continue
        for frame in frames:
            if frame.time is None or frame.is_corrupt:
                continue
            if begin_s is None:
                begin_s = frame.time
            time_s = max(0.0, frame.time - begin_s)
            if time_s > VIDEO_SECONDS_MAX:  # the container declared less
                return
            yield frame, time_s


class _Places:
    """Gathers slots into places. The way grows by the motion since the first frame of the last place, so that a hand
    that shakes and returns adds nothing."""

    def __init__(self, folder: Path, clip: Clip, side_max_px: int) -> None:
        self._folder, self._clip, self._side = folder, clip, side_max_px
        self._anchor: Grey | None = None
        self.places: list[Place] = []
        self.files: list[Path] = []

    def add(self, shot: _Shot, end_s: float) -> None:
        small = _small(shot.grey)
        moved = 0.0
        if self._anchor is not None:
            moved = LOST_MOTION
            if small.shape == self._anchor.shape:
                found = shift_between(self._anchor, small)
                moved = LOST_MOTION if found is None else found
            if moved < PLACE_MOTION:
                self._stay(shot, end_s)
                return
        way = (self.places[-1].way if self.places else 0.0) + moved
        begin_s = self.places[-1].end_s if self.places else 0.0
        self._anchor = small
        self.places.append(Place(way=way, begin_s=begin_s, end_s=end_s, time_s=shot.time_s, detail=shot.detail))
        self.files.append(self._folder / f"{len(self.files):06d}.jpg")
        self._write(shot)

    def _stay(self, shot: _Shot, end_s: float) -> None:
        place = replace(self.places[-1], end_s=end_s)
        if shot.detail > BETTER * place.detail:
            place = replace(place, time_s=shot.time_s, detail=shot.detail)
            self._write(shot)
        self.places[-1] = place

    def _write(self, shot: _Shot) -> None:
        picture = picture_of(shot.frame, self._clip.stream, self._side)
        picture.save(self.files[-1], "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _small(grey: Image.Image) -> Grey:
    small = grey.copy()
    small.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32)
