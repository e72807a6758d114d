"""Films the drawn scene: a walk along an arc with a still part and a shaken part, encoded by PyAV.
The seconds of both are known, so that a test can say which must give no frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace

from tests.unit.splat_worker import drawn_scene

FPS = 15
QUALITY = {"crf": "16", "preset": "veryfast"}
TAGS = {"colorspace": 1, "color_range": 1}
"""BT.709, limited range: as the frames are converted below."""
TICK = Fraction(1, 90_000)


@dataclass(frozen=True)
class Film:
    """frames: (N, H, W, 3) uint8 at FPS; still_s, shaken_s: begin and end of the parts, in seconds."""

    frames: np.ndarray
    still_s: tuple[float, float]
    shaken_s: tuple[float, float]

    @property
    def seconds(self) -> float:
        return len(self.frames) / FPS


def film(*, width: int = 400, height: int = 300, steps: int = 54, arc_deg: float = 130.0) -> Film:
    """`steps` views along the arc; a third of the way the camera stands for 2 s, two thirds of the way it is shaken
    for 1 s: pictures smeared along 20 px."""
    textures = drawn_scene.textures()
    views = [
        drawn_scene.picture(pose, 1.15 * width, (width, height), textures, samples=1)[0]
        for pose in drawn_scene.orbit(steps, arc_deg=arc_deg, sway_deg=0.0)
    ]
    stand, shake = steps // 3, 2 * steps // 3
    still = [views[stand]] * (2 * FPS)
    shaken = [_smeared(views[shake], 20) for _ in range(FPS)]
    frames = np.stack([*views[:stand], *still, *views[stand:shake], *shaken, *views[shake:]])
    still_s = (stand / FPS, stand / FPS + 2)
    shaken_s = ((shake + 2 * FPS) / FPS, (shake + 3 * FPS) / FPS)
    return Film(frames=frames, still_s=still_s, shaken_s=shaken_s)


def _smeared(picture: np.ndarray, pixels: int) -> np.ndarray:
    shifted = np.stack([np.roll(picture, shift, axis=1) for shift in range(-pixels // 2, pixels // 2)])
    return shifted.mean(axis=0).astype(np.uint8)


def encode(
    path: Path,
    frames: np.ndarray | Sequence[np.ndarray],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times_s: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
) -> Path:
    """An MP4 or MOV by the path's suffix. times_s: of each frame, for a variable frame rate; tags: fields of the
    codec context, such as color_trc."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=QUALITY if options is None else options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = TICK
        for name, value in {**TAGS, **(tags or {})}.items():
            setattr(stream.codec_context, name, value)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb48le" if picture.dtype == np.uint16 else "rgb24")
            frame.time_base = TICK
            frame.pts = round((number / FPS if times_s is None else times_s[number]) / TICK)
            container.mux(stream.encode(frame.reformat(format=pix_fmt, dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())
    return path
