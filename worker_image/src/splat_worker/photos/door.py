"""Photos at the door: what each file really is, whether it can be used, and one clean copy of it.
Never trusts a file's name, never raises for a bad photo, never copies a position or any other tag.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splat_worker.contract.job_report import Rejected
from splat_worker.limits import PHOTO_BYTES_MAX, cpu_count
from splat_worker.photos.decode import decode
from splat_worker.photos.reject import Refused, Reject
from splat_worker.photos.sniff import sniff
from splat_worker.progress import silent

SHARPNESS_SIDE_PX = 480
BLUR_OF_MEDIAN = 0.08
"""A photo is too blurred below this share of the set's median sharpness: a 3 px blur of a sharp photo of
SHARPNESS_SIDE_PX comes to about 0.02, the softest photo of the sets we know to 0.3."""
PLAIN_SPREAD = 3.0
"""Standard deviation in grey levels (of 255) below which a picture shows nothing: a covered lens comes to 1 or 2, the
flattest photo of the sets we know to 15, and photos dimmed to 3 had not one feature left that COLMAP could find."""
TWIN_RMS = 1.6
"""Grey levels (of 255) between thumbnails of a photo and its re-encoded or resized copy: at most 1.1 seen.
Neighbouring photos of a walk differ by 8 and more."""
THUMB_PX = 48
JPEG_QUALITY = 96


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as it came: the name people know it by, and where it lies."""

    name: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A usable photo: an upright sRGB JPEG without tags at `path`, and what its tags said.

    focal_px is of the copy's size; camera_key is equal for photos that share a lens setting and a size.
    """

    name: str
    path: Path
    width: int
    height: int
    sharpness: float
    camera_key: str
    focal_px: float | None = None
    position: tuple[float, float, float] | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What the stage hands on; photos keep the order in which they were given."""

    photos: tuple[Photo, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    photo: Photo
    sha256: str
    thumb: NDArray[np.float32]


def prepare(
    sources: Sequence[Source],
    out_dir: Path,
    *,
    side_max_px: int,
    on_progress: Callable[[int, int], None] = silent,
) -> Prepared:
    """Check every file and write one clean copy of each good one, at most `side_max_px` on its longer side."""
    out_dir.mkdir(parents=True, exist_ok=True)
    rejected: dict[str, Rejected] = {}
    seen: list[_Seen] = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = pool.map(
            lambda job: _look(job[1], out_dir / f"{job[0]:04d}.jpg", side_max_px), enumerate(sources, start=1)
        )
        for done, (source, result) in enumerate(zip(sources, results, strict=True), start=1):
            if isinstance(result, Refused):
                rejected[source.name] = Rejected(name=source.name, code=result.code, reason=result.reason)
            else:
                seen.append(result)
            on_progress(done, len(sources))
    for name, refused in (*_twins(seen), *_blurred(seen)):
        rejected.setdefault(name, Rejected(name=name, code=refused.code, reason=refused.reason))
    for item in seen:
        if item.photo.name in rejected:
            item.photo.path.unlink()
    return Prepared(
        photos=tuple(item.photo for item in seen if item.photo.name not in rejected),
        rejected=tuple(rejected[source.name] for source in sources if source.name in rejected),
    )


def _look(source: Source, target: Path, side_max_px: int) -> _Seen | Refused:
    try:
        return _read(source, target, side_max_px)
    except Refused as refused:
        return refused
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # of our copy; without room no photo is any good
            raise
        return Refused(Reject.UNREADABLE, f"The file cannot be read ({error.strerror or type(error).__name__}).")


def _read(source: Source, target: Path, side_max_px: int) -> _Seen:
    size = source.path.stat().st_size
    if size == 0:
        raise Refused(Reject.EMPTY, "The file is empty; send it again.")
    if size > PHOTO_BYTES_MAX:
        raise Refused(
            Reject.TOO_LARGE, f"The file has {size >> 20} MiB; at most {PHOTO_BYTES_MAX >> 20} MiB are taken."
        )
    pillow_format = sniff(source.path, source.name)
    image, exif, full_width, full_height = decode(source.path, pillow_format, side_max_px)
    grey = image.convert("L")
    pixels = np.asarray(grey)
    if pixels.std() < PLAIN_SPREAD:
        shade = "dark" if pixels.mean() < 64 else "bright" if pixels.mean() > 192 else "of one colour"
        raise Refused(Reject.PLAIN, f"The picture is {shade} all over and shows nothing; take it again.")
    image.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    scale = max(image.size) / max(full_width, full_height)
    focal_px = exif.focal_px(full_width, full_height)
    return _Seen(
        photo=Photo(
            name=source.name,
            path=target,
            width=image.width,
            height=image.height,
            sharpness=sharpness(grey),
            camera_key=f"{exif.camera_key}|{image.width}x{image.height}",
            focal_px=None if focal_px is None else focal_px * scale,
            position=exif.position,
        ),
        sha256=sha256_of(source.path),
        thumb=np.asarray(grey.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX), dtype=np.float32),
    )


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sharpness(grey: Image.Image) -> float:
    """Variance of the Laplacian at SHARPNESS_SIDE_PX, in squared grey levels. Blur lowers it, noise raises it."""
    small = grey.copy()
    small.thumbnail((SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX), Image.Resampling.BOX)
    v = np.asarray(small, dtype=np.float32)
    laplacian = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * v[1:-1, 1:-1]
    return float(laplacian.var())


def _twins(seen: Sequence[_Seen]) -> list[tuple[str, Refused]]:
    """Every photo that repeats an earlier one: same bytes, or the same picture encoded or sized anew.
    A twin of a held-out photo in the training set would also make the metric a lie."""
    found: list[tuple[str, Refused]] = []
    thumbs = np.stack([item.thumb for item in seen]) if seen else np.zeros((0, THUMB_PX, THUMB_PX), np.float32)
    kept: list[int] = []
    for i, item in enumerate(seen):
        twin = next((k for k in kept if seen[k].sha256 == item.sha256), None)
        if twin is None and kept:
            rms = np.sqrt(((thumbs[kept] - thumbs[i]) ** 2).mean(axis=(1, 2)))
            spread = max(1.0, float(thumbs[i].std()))
            nearest = int(rms.argmin())
            if rms[nearest] < min(TWIN_RMS, 0.05 * spread):
                twin = kept[nearest]
        if twin is None:
            kept.append(i)
        else:
            found.append((item.photo.name, Refused(Reject.DUPLICATE, f"The same picture as {seen[twin].photo.name}.")))
    return found


def _blurred(seen: Sequence[_Seen]) -> list[tuple[str, Refused]]:
    if not seen:
        return []
    median = float(np.median([item.photo.sharpness for item in seen]))
    return [
        (
            item.photo.name,
            Refused(
                Reject.BLURRED,
                f"Much more blurred than the others ({100 * item.photo.sharpness / median:.0f} % of their detail);"
                " hold still or use more light.",
            ),
        )
        for item in seen
        if item.photo.sharpness < BLUR_OF_MEDIAN * median
    ]
