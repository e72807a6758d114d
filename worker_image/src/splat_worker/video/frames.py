"""The photos of a clip, for the pipeline: starts the process that reads it, and names what it chose.
Never raises for a bad clip; the reason names the next step.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import splat_worker
from splat_worker.contract.job_report import DroppedSpan, Rejected, VideoReport
from splat_worker.limits import (
    MIB,
    VIDEO_BYTES_MAX,
    VIDEO_FRAMES_MAX,
    VIDEO_MEMORY_BYTES,
    available_memory_bytes,
    cpu_count,
)
from splat_worker.photos.reject import Refused, Reject
from splat_worker.photos.validation import Source
from splat_worker.progress import silent
from splat_worker.video.choice import REASONS, Dropped

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "splat_worker.video")
THREADS_MAX = 8
PASS_S_MIN, PASS_S_MAX = 30.0, 300.0
"""Bounds of the time for the pass over a clip."""
KILL_AFTER_S = 30.0
"""Past the pass's own time."""
CRASHED = "The video could not be decoded. Convert it to H.264, for example by sending it through a messenger."
TOO_SLOW = "The video takes too long to decode. Use a shorter clip, or film in 1080p."


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The photos of one clip, or why there are none. digests: of each photo, equal for the same frame of the same
    file."""

    sources: tuple[Source, ...] = ()
    digests: tuple[str, ...] = ()
    report: VideoReport | None = None
    rejected: Rejected | None = None


def frames_of(
    clip: Source,
    folder: Path,
    *,
    digest: str,
    side_max_px: int,
    frames_max: int = VIDEO_FRAMES_MAX,
    seconds_left: float | None = None,
    on_progress: Callable[[float], None] = silent,
) -> Frames:
    """The chosen frames of one clip as JPEG files in `folder`, which must not exist. digest: SHA-256 of the clip;
    seconds_left: of the job; a quarter of it may go into reading."""
    try:
        size = clip.path.stat().st_size
        if size > VIDEO_BYTES_MAX:
            raise Refused(
                Reject.TOO_LARGE,
                f"The video has {size // MIB} MiB; the limit is {VIDEO_BYTES_MAX // MIB} MiB. Cut it or film in 1080p.",
            )
        folder.mkdir(parents=True)
        seconds = PASS_S_MAX if seconds_left is None else min(PASS_S_MAX, max(PASS_S_MIN, seconds_left / 4))
        request = {
            "clip": str(clip.path),
            "folder": str(folder),
            "side_max_px": side_max_px,
            "frames_max": frames_max,
        }
        answer = _read(request, seconds, on_progress)
    except Refused as refused:
        return Frames(rejected=Rejected(name=clip.name, code=refused.code.value, reason=refused.reason))
    frames = answer["frames"]
    names = [f"{clip.name} {clock_time(frame['time_s'])}" for frame in frames]
    return Frames(
        sources=tuple(
            Source(name=name, path=folder / frame["file"], clip=clip.name)
            for name, frame in zip(names, frames, strict=True)
        ),
        digests=tuple(f"{digest}@{frame['time_s']:.4f}" for frame in frames),
        report=VideoReport(
            name=clip.name,
            seconds=round(answer["seconds"], 2),
            frames=len(frames),
            used_s=tuple(round(frame["time_s"], 2) for frame in frames),
            dropped=tuple(
                DroppedSpan(
                    from_s=round(gap["begin_s"], 2),
                    to_s=round(gap["end_s"], 2),
                    code=gap["code"],
                    reason=REASONS[Dropped(gap["code"])],
                )
                for gap in answer["gaps"]
            ),
        ),
    )


def clock_time(seconds: float) -> str:
    """As players show it, with hundredths: 1:03.25."""
    hundredths = round(100 * seconds)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _read(request: dict[str, Any], seconds: float, on_progress: Callable[[float], None]) -> dict[str, Any]:
    """The child's answer, within about these seconds. Raises Refused."""
    threads = min(cpu_count(), THREADS_MAX)
    request |= {
        "seconds_max": seconds,
        "threads": threads,
        "memory_bytes": min(VIDEO_MEMORY_BYTES, available_memory_bytes()),
        "cpu_s": int((seconds + KILL_AFTER_S) * threads),
    }
    package = str(Path(splat_worker.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": package, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    ) as child:
        late = threading.Timer(seconds + KILL_AFTER_S, child.kill)
        late.start()
        try:
            return _converse(child, request, on_progress)
        finally:
            late.cancel()
            child.kill()


def _converse(
    child: subprocess.Popen[str], request: dict[str, Any], on_progress: Callable[[float], None]
) -> dict[str, Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.close()
    for line in child.stdout:
        try:
            message = json.loads(line)
        except ValueError:  # the process died within a line
            break
        if "progress" in message:
            on_progress(message["progress"])
        elif "refused" in message:
            raise Refused(Reject(message["refused"]["code"]), message["refused"]["reason"])
        else:
            return dict(message)
    status = child.wait()
    log.warning("the process that reads a video ended with status %d", status)
    stopped = status in (-signal.SIGKILL, -signal.SIGXCPU)
    raise Refused(Reject.UNREADABLE, TOO_SLOW if stopped else CRASHED)
