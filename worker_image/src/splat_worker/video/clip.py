"""Opens a clip within limits, and turns its frames into upright pictures. Decodes nothing by itself.

FFmpeg reads hostile bytes here, so this runs in a process of its own (video/__main__.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from av.video.stream import VideoStream
from PIL import Image

from splat_worker.limits import PHOTO_SIDE_MIN_PX, VIDEO_PIXELS_MAX, VIDEO_SECONDS_MAX, VIDEO_STREAMS_MAX
from splat_worker.photos.reject import Refused, Reject
from splat_worker.video.colour import HLG, PQ, to_sdr

CODECS = frozenset({"h264", "hevc"})
BT601, BT709, BT2020 = (5, 6), (1,), (9, 10)
"""Matrix coefficients (ITU-T H.273)."""
OPTIONS = {
    "protocol_whitelist": "file",
    "enable_drefs": "0",  # a clip must not read other files
    "max_streams": str(VIDEO_STREAMS_MAX),
}
DAMAGED = "The video is damaged or incomplete. Copy it again from the camera."


@dataclass(frozen=True, kw_only=True)
class Clip:
    """An opened clip. width, height: px as coded; seconds: as the container declares."""

    container: InputContainer
    stream: VideoStream
    seconds: float


def open_clip(path: Path, *, threads: int) -> Clip:
    """The largest H.264 or HEVC stream. Raises Refused with the reason and the next step."""
    try:
        container = av.open(str(path), format="mov", options=OPTIONS)
    except (av.error.FFmpegError, ValueError, OSError):
        raise Refused(Reject.UNREADABLE, DAMAGED) from None
    streams = [stream for stream in container.streams.video if not stream.disposition & _ATTACHED]
    if not streams:
        raise Refused(Reject.UNREADABLE, "The file holds no picture, only sound or data. Use a video.")
    usable = [stream for stream in streams if _codec(stream) in CODECS]
    if not usable:
        raise Refused(
            Reject.UNREADABLE,
            f"The video is coded as {_codec(streams[0]) or 'an unknown type'}. Use H.264 or HEVC, which phones write.",
        )
    stream = max(usable, key=lambda one: one.width * one.height)
    seconds = _seconds(container, stream)
    _check_size(stream.width, stream.height)
    if seconds > VIDEO_SECONDS_MAX:
        raise Refused(
            Reject.TOO_LARGE,
            f"The video lasts {seconds / 60:.1f} min; the limit is {VIDEO_SECONDS_MAX // 60} min. Cut it into parts.",
        )
    context = stream.codec_context
    context.options = {"max_pixels": str(VIDEO_PIXELS_MAX)}
    context.thread_type, context.thread_count = "AUTO", threads
    return Clip(container=container, stream=stream, seconds=seconds)


_ATTACHED = 0x0400  # AV_DISPOSITION_ATTACHED_PIC: a cover


def _codec(stream: VideoStream) -> str:
    context = stream.codec_context
    return context.codec.name if context is not None else ""


def _seconds(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / av.time_base
    raise Refused(Reject.UNREADABLE, DAMAGED)


def _check_size(width: int, height: int) -> None:
    if width * height > VIDEO_PIXELS_MAX:
        raise Refused(
            Reject.TOO_LARGE,
            f"The video has {width}x{height} pixels; the limit is {VIDEO_PIXELS_MAX // 1_000_000} million. Film in 4K.",
        )
    if min(width, height) < PHOTO_SIDE_MIN_PX:
        raise Refused(
            Reject.TOO_SMALL,
            f"The video has {width}x{height} pixels; each side needs at least {PHOTO_SIDE_MIN_PX}. Film in 1080p.",
        )


def grey_of(frame: VideoFrame) -> Image.Image:
    """The luma plane as it is coded, mode L, not turned."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    if frame.format.components[0].bits > 8:
        deep = rows[:, : 2 * plane.width].view("<u2")
        return Image.fromarray((deep >> (frame.format.components[0].bits - 8)).astype(np.uint8))
    return Image.fromarray(np.ascontiguousarray(rows[:, : plane.width]))


def picture_of(frame: VideoFrame, stream: VideoStream, side_max_px: int) -> Image.Image:
    """Upright sRGB, at most `side_max_px` on its longer side, square pixels. HDR is mapped to SDR."""
    width, height = _square_size(frame, stream)
    scale = min(1.0, side_max_px / max(width, height))
    width, height = max(1, round(scale * width)), max(1, round(scale * height))
    transfer = int(frame.color_trc)
    hdr = transfer in (PQ, HLG)
    scaled = frame.reformat(
        width,
        height,
        "rgb48le" if hdr else "rgb24",
        src_colorspace=_matrix(frame),
        dst_colorspace=Colorspace.ITU709,
        src_color_range=_range(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=Interpolation.LANCZOS | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT,
        threads=1,
    )
    pixels = scaled.to_ndarray()
    picture = Image.fromarray(to_sdr(pixels, transfer) if hdr else pixels)
    turn = round(frame.rotation / 90) % 4
    return picture.transpose(_TURNS[turn]) if turn else picture


_TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}
"""Quarter turns counterclockwise, as FFmpeg's display rotation counts."""


def _square_size(frame: VideoFrame, stream: VideoStream) -> tuple[float, float]:
    """Size with square pixels; camcorders store 1440x1080 for 1920x1080."""
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    if not 0.2 < aspect < 5.0:
        aspect = 1.0
    return frame.width * aspect, float(frame.height)


def _matrix(frame: VideoFrame) -> Colorspace:
    declared = int(frame.colorspace)
    if declared in BT2020:
        return Colorspace.BT2020
    if declared in BT601:
        return Colorspace.ITU601
    if declared in BT709 or frame.height >= 720:
        return Colorspace.ITU709
    return Colorspace.ITU601


def _range(frame: VideoFrame) -> ColorRange:
    full = int(frame.color_range) == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG
