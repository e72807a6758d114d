"""Validates photos: finds the type of each file, rejects unusable photos, and writes a clean copy of the others.
Ignores file names, never raises for a bad photo, and copies no tags, so no position leaves the worker.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from splat_worker.contract.job_report import Rejected
from splat_worker.hashing import sha256_of
from splat_worker.limits import PHOTO_BYTES_MAX, cpu_count
from splat_worker.photos.decode import decode
from splat_worker.photos.mask import mask_path, read_mask, split
from splat_worker.photos.panorama import panorama, panorama_by_picture
from splat_worker.photos.reject import Refused, Reject
from splat_worker.photos.sniff import sniff
from splat_worker.progress import silent

SHARPNESS_SIDE_PX = 480
BLUR_OF_MEDIAN = 0.08
"""Share of the set's median sharpness below which a photo is too blurred. A 3 px blur of a sharp photo at
SHARPNESS_SIDE_PX gives about 0.02; the softest photo of our sets has 0.3."""
BLURRED_BELOW = 0.012
"""Share of detail below which a photo is blurred whatever the others are like. At SHARPNESS_SIDE_PX, photos of our sets
have 0.25 and more. A blur of 1 px leaves 0.017 or more, one of 2 px at most 0.011. The app has the same measure."""
PLAIN_SPREAD = 3.0
"""Standard deviation in grey levels (of 255) below which a photo shows nothing. A covered lens gives 1 or 2; the
flattest photo of our sets has 15; in photos dimmed to 3, COLMAP found no feature."""
DUPLICATE_RMS = 1.6
"""RMS difference in grey levels (of 255) between thumbnails below which two photos are the same. Re-encoded and resized
copies differ by at most 1.1, neighbouring photos of a walk by 8 and more."""
THUMB_PX = 48
JPEG_QUALITY = 96


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as received: its original name, where it lies, and the mask beside it, if there is one. clip: the name of
    the clip that it is a frame of."""

    name: str
    path: Path
    mask: Path | None = None
    clip: str | None = None


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A valid photo: an upright sRGB JPEG without tags at `path`, and the facts from its tags.

    detail: the sharpness relative to the contrast, below BLURRED_BELOW in a blurred photo.
    focal_px refers to the copy's size; camera_key is equal for photos that share a lens setting and a size.
    down: gravity in the copy's camera axes (x right, y down, z forward). exposure: log2, of the light on the sensor.
    mask: what is kept of the photo, a grey PNG of the copy's size where 255 keeps; beyond it the copy is black. None if
    all of it is kept.
    clip: the name of the clip that it is a frame of.
    """

    name: str
    path: Path
    width: int
    height: int
    sharpness: float
    camera_key: str
    detail: float = 1.0
    focal_px: float | None = None
    position: tuple[float, float, float] | None = field(default=None, repr=False)
    down: tuple[float, float, float] | None = None
    exposure: float | None = None
    mask: Path | None = None
    clip: str | None = None

    @property
    def lens_key(self) -> str:
        """Equal for photos with the same camera, lens setting and size, held upright or sideways."""
        return f"{self.camera_key.rpartition('|')[0]}|{max(self.width, self.height)}x{min(self.width, self.height)}"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Valid and rejected photos, each in the order of the sources."""

    photos: tuple[Photo, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, kw_only=True)
class _Read:
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
    seen: list[_Read] = []
    with ThreadPoolExecutor(cpu_count()) as pool:
        results = pool.map(
            lambda job: _read_or_refuse(job[1], out_dir / f"{job[0]:04d}.jpg", side_max_px), enumerate(sources, start=1)
        )
        for done, (source, result) in enumerate(zip(sources, results, strict=True), start=1):
            if isinstance(result, Refused):
                rejected[source.name] = Rejected(name=source.name, code=result.code, reason=result.reason)
            else:
                seen.append(result)
            on_progress(done, len(sources))
    for name, refused in (*_duplicates(seen), *_blurred(seen)):
        rejected.setdefault(name, Rejected(name=name, code=refused.code, reason=refused.reason))
    for item in seen:
        if item.photo.name in rejected:
            item.photo.path.unlink()
            if item.photo.mask is not None:
                item.photo.mask.unlink()
    return Prepared(
        photos=tuple(item.photo for item in seen if item.photo.name not in rejected),
        rejected=tuple(rejected[source.name] for source in sources if source.name in rejected),
    )


def _read_or_refuse(source: Source, target: Path, side_max_px: int) -> _Read | Refused:
    try:
        return _read(source, target, side_max_px)
    except Refused as refused:
        return refused
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # on writing the copy; no fault of the photo
            raise
        if source.path.is_symlink() and not source.path.exists():
            return Refused(Reject.UNREADABLE, "This is a link to a file that does not exist.")
        return Refused(Reject.UNREADABLE, f"The file cannot be read: {error.strerror or type(error).__name__}.")


def _read(source: Source, target: Path, side_max_px: int) -> _Read:
    size = source.path.stat().st_size
    if size == 0:
        raise Refused(Reject.EMPTY, "The file is empty. Copy it again from the camera.")
    if size > PHOTO_BYTES_MAX:
        raise Refused(Reject.TOO_LARGE, f"The file has {size >> 20} MiB; the limit is {PHOTO_BYTES_MAX >> 20} MiB.")
    pillow_format = sniff(source.path, source.name)
    image, exif, full_width, full_height = decode(source.path, pillow_format, side_max_px)
    beside = None if source.mask is None else read_mask(source.mask, image.size, exif.orientation)
    image, kept = split(image, beside)
    grey = image.convert("L")
    pixels = np.asarray(grey) if kept is None else np.asarray(grey)[np.asarray(kept) > 127]
    if kind := panorama_by_picture(grey):
        raise panorama(kind)
    if pixels.std() < PLAIN_SPREAD:
        brightness = pixels.mean()
        what = "almost black" if brightness < 64 else "almost white" if brightness > 192 else "a single flat colour"
        raise Refused(Reject.PLAIN, f"The photo is {what}. Take it again.")
    image.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    mask = None
    if kept is not None:
        mask = mask_path(target)
        mask.parent.mkdir(exist_ok=True)
        kept.save(mask, "PNG")
    scale = max(image.size) / max(full_width, full_height)
    focal_px = exif.focal_px(full_width, full_height)
    return _Read(
        photo=Photo(
            name=source.name,
            path=target,
            width=image.width,
            height=image.height,
            sharpness=sharpness(grey, kept),
            detail=detail(grey, kept),
            camera_key=f"{exif.camera_key if source.clip is None else source.clip}|{image.width}x{image.height}",
            focal_px=None if focal_px is None else focal_px * scale,
            position=exif.position,
            down=exif.down,
            exposure=exif.exposure,
            mask=mask,
            clip=source.clip,
        ),
        sha256=sha256_of(source.path),
        thumb=np.asarray(grey.resize((THUMB_PX, THUMB_PX), Image.Resampling.BOX), dtype=np.float32),
    )


def sharpness(grey: Image.Image, kept: Image.Image | None = None) -> float:
    """Variance of the Laplacian at SHARPNESS_SIDE_PX, in squared grey levels. Blur lowers it, noise raises it.
    kept: the photo's mask, whose edge does not count."""
    laplacian, _ = _laplacian(grey, kept)
    return float(laplacian.var())


def detail(grey: Image.Image, kept: Image.Image | None = None) -> float:
    """Variance of the Laplacian over the variance of the picture, so that a dull photo does not count as blurred."""
    laplacian, inside = _laplacian(grey, kept)
    return float(laplacian.var() / max(float(inside.var()), 1e-6))


def most_blurred(photos: Sequence[Photo]) -> int:
    """How many photos are blurred, if these are more than half of them; else 0."""
    count = sum(photo.detail < BLURRED_BELOW for photo in photos)
    return count if 2 * count > len(photos) else 0


def _laplacian(grey: Image.Image, kept: Image.Image | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The Laplacian at SHARPNESS_SIDE_PX, and the pixels that it is of, in grey levels; (H, W), or (P,) of the pixels
    inside a mask."""
    small = grey.copy()
    small.thumbnail((SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX), Image.Resampling.BOX)
    v = np.asarray(small, dtype=np.float32)
    inside = v[1:-1, 1:-1]
    laplacian = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * inside
    if kept is None:
        return laplacian, inside
    whole = np.asarray(kept.resize(small.size, Image.Resampling.BOX).filter(ImageFilter.MinFilter(5)))[1:-1, 1:-1] > 250
    return (laplacian[whole], inside[whole]) if whole.any() else (laplacian, inside)


def _duplicates(seen: Sequence[_Read]) -> list[tuple[str, Refused]]:
    """Photos that repeat an earlier photo: the same bytes, or the same picture re-encoded or resized.
    A copy of a held-out photo in the training set would also falsify the metrics."""
    found: list[tuple[str, Refused]] = []
    thumbs = np.stack([item.thumb for item in seen]) if seen else np.zeros((0, THUMB_PX, THUMB_PX), np.float32)
    first: list[int] = []
    for i, item in enumerate(seen):
        original = next((k for k in first if seen[k].sha256 == item.sha256), None)
        if original is None and first:
            rms = np.sqrt(((thumbs[first] - thumbs[i]) ** 2).mean(axis=(1, 2)))
            spread = max(1.0, float(thumbs[i].std()))
            nearest = int(rms.argmin())
            if rms[nearest] < min(DUPLICATE_RMS, 0.05 * spread):
                original = first[nearest]
        if original is None:
            first.append(i)
        else:
            found.append(
                (item.photo.name, Refused(Reject.DUPLICATE, f"The same picture as {seen[original].photo.name}."))
            )
    return found


def _blurred(seen: Sequence[_Read]) -> list[tuple[str, Refused]]:
    if not seen:
        return []
    median = float(np.median([item.photo.sharpness for item in seen]))
    return [
        (
            item.photo.name,
            Refused(
                Reject.BLURRED,
                f"The photo is much more blurred than the others ({100 * item.photo.sharpness / median:.0f} % of their"
                " detail). Hold still or use more light.",
            ),
        )
        for item in seen
        if item.photo.sharpness < BLUR_OF_MEDIAN * median
    ]
