"""Puts the frames of clips in the place of the clips, among the photos of a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from splat_worker.contract.job_report import Rejected, VideoReport
from splat_worker.errors import Code, JobError
from splat_worker.limits import PHOTOS_MAX, PHOTOS_MIN, VIDEO_FRAMES_MAX
from splat_worker.photos.sniff import is_video
from splat_worker.photos.validation import Source
from splat_worker.video.frames import Frames, frames_of

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a job, photo or clip. digest: SHA-256, "" if it cannot be read; frames_max: of a clip."""

    source: Source
    digest: str
    frames_max: int | None = None


@dataclass(frozen=True, kw_only=True)
class Expanded:
    """Photos and frames in the order of the files. digests: (name, digest) of each; rejected: clips without frames;
    given: names of all, also of these clips."""

    sources: tuple[Source, ...]
    digests: tuple[tuple[str, str], ...]
    videos: tuple[VideoReport, ...]
    rejected: tuple[Rejected, ...]
    given: tuple[str, ...]


def has_clips(files: Sequence[File]) -> bool:
    return any(_is_clip(file.source) for file in files)


def expand(
    files: Sequence[File], folder: Path, *, side_max_px: int, seconds_left: float | None, on_progress: OnProgress
) -> Expanded:
    """Reads every clip into a subfolder of `folder`. Raises JobError if there are no photos and no clip has a frame,
    or if there are more photos than a job may have."""
    clips = [file for file in files if _is_clip(file.source)]
    room = PHOTOS_MAX - (len(files) - len(clips))
    if room < 0:
        raise JobError(Code.BAD_INPUT, f"There are {len(files) - len(clips)} photos; the limit is {PHOTOS_MAX}.")
    read: dict[str, Frames] = {}
    for number, file in enumerate(clips):
        read[file.source.name] = frames_of(
            file.source,
            folder / f"{number:03d}",
            digest=file.digest,
            side_max_px=side_max_px,
            frames_max=min(file.frames_max or VIDEO_FRAMES_MAX, max(1, room // len(clips))),
            seconds_left=None if seconds_left is None else seconds_left / len(clips),
            on_progress=lambda share, n=number, name=file.source.name: on_progress(  # type: ignore[misc]
                (n + share) / len(clips), f"Choosing frames of {name}"
            ),
        )
    if clips and len(clips) == len(files):
        _check_any(read)
    sources: list[Source] = []
    digests: list[tuple[str, str]] = []
    given: list[str] = []
    for file in files:
        frames = read.get(file.source.name)
        if frames is None:
            sources.append(file.source)
            digests.append((file.source.name, file.digest))
            given.append(file.source.name)
        else:
            sources.extend(frames.sources)
            digests.extend((s.name, digest) for s, digest in zip(frames.sources, frames.digests, strict=True))
            given.extend(s.name for s in frames.sources)
            if frames.rejected is not None:
                given.append(file.source.name)
    return Expanded(
        sources=tuple(sources),
        digests=tuple(digests),
        videos=tuple(frames.report for frames in read.values() if frames.report),
        rejected=tuple(frames.rejected for frames in read.values() if frames.rejected),
        given=tuple(given),
    )


def _is_clip(source: Source) -> bool:
    try:
        return is_video(source.path)
    except OSError:  # the check of the photos gives the reason
        return False


def _check_any(read: dict[str, Frames]) -> None:
    """Raises the reason of the first clip, if all clips together give too few frames."""
    if sum(len(frames.sources) for frames in read.values()) >= PHOTOS_MIN:
        return
    for name, frames in read.items():
        if frames.rejected is not None:
            raise JobError(
                Code.PHOTO_UNREADABLE,
                f"{name}: {frames.rejected.reason}",
                hint="Use an MP4 or MOV file (H.264 or HEVC) straight from the camera.",
            )
    name, frames = next(iter(read.items()))
    dropped = "".join(f" {gap.from_s:.1f} to {gap.to_s:.1f} s: {gap.reason}" for gap in frames.report.dropped[:3])  # type: ignore[union-attr]
    raise JobError(
        Code.TOO_FEW_PHOTOS,
        f"{name} shows the subject from {len(frames.sources)} places; a scene needs at least {PHOTOS_MIN}.{dropped}",
        hint="Film again while you walk slowly around the subject.",
    )
