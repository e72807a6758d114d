"""Photos at the door: what each file really is, whether it can be used, and one clean copy of it.
Never trusts a file's name, never raises for a bad photo, never copies a position or any other tag.
"""

from __future__ import annotations

import errno
import hashlib
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from splat_worker.exif import Exif, panorama_kind, read_exif
from splat_worker.job import Rejected
from splat_worker.limits import (
    PHOTO_BYTES_MAX,
    PHOTO_PIXELS_MAX,
    PHOTO_SIDE_MIN_PX,
    PHOTO_WORK_SIDE_MIN_PX,
    available_memory_bytes,
    cpu_count,
)
from splat_worker.pixels import to_srgb
from splat_worker.progress import silent

pillow_heif.register_heif_opener(thumbnails=False)
Image.MAX_IMAGE_PIXELS = None  # a warning at a fixed size; our own limit is checked before anything is decoded
ImageFile.LOAD_TRUNCATED_IMAGES = False

BIG_PIXELS = 60_000_000
"""Photos above this are decoded one at a time, so that memory does not follow the number of cores."""
DECODED_BYTES_PER_PIXEL = 5
"""Pillow holds RGB and RGBA in 4 bytes; the rest is for the strip under way."""
STRIP_ROWS = 64
REDUCING_GAP = 3.0
"""A picture is first averaged down to this many times its final size, then resized with a good filter."""
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
TAKEN_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})
PHOTO_SUFFIXES = TAKEN_SUFFIXES | {".avif", ".gif", ".tif", ".tiff", ".bmp"}

FORMATS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    ("JPEG", "JPEG", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("PNG", "PNG", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("WebP", "WEBP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("HEIC", "HEIF", lambda head: head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
OTHERS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("a GIF", lambda head: head.startswith(b"GIF8")),
    ("a BMP", lambda head: head.startswith(b"BM")),
    ("a TIFF or camera raw file", lambda head: head[:4] in (b"II*\x00", b"MM\x00*")),
    ("an AVIF", lambda head: head[4:12] in (b"ftypavif", b"ftypavis")),
    ("a video", lambda head: head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"),
    ("a PDF", lambda head: head.startswith(b"%PDF")),
    ("a ZIP archive", lambda head: head.startswith(b"PK\x03\x04")),
    ("a web page", lambda head: head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml"))),
)


class Reject(StrEnum):
    """Why a photo is left out before any camera is looked for. Not a job failure: see errors.Code."""

    EMPTY = "EMPTY"
    NOT_A_PHOTO = "NOT_A_PHOTO"
    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    PANORAMA = "PANORAMA"
    PLAIN = "PLAIN"
    DUPLICATE = "DUPLICATE"
    BLURRED = "BLURRED"


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


class _Refused(Exception):
    def __init__(self, code: Reject, reason: str) -> None:
        self.code, self.reason = code, reason


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
            if isinstance(result, _Refused):
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


def _look(source: Source, target: Path, side_max_px: int) -> _Seen | _Refused:
    try:
        return _read(source, target, side_max_px)
    except _Refused as refused:
        return refused
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # of our copy; without room no photo is any good
            raise
        return _Refused(Reject.UNREADABLE, f"The file cannot be read ({error.strerror or type(error).__name__}).")


def _read(source: Source, target: Path, side_max_px: int) -> _Seen:
    size = source.path.stat().st_size
    if size == 0:
        raise _Refused(Reject.EMPTY, "The file is empty; send it again.")
    if size > PHOTO_BYTES_MAX:
        raise _Refused(
            Reject.TOO_LARGE, f"The file has {size >> 20} MiB; at most {PHOTO_BYTES_MAX >> 20} MiB are taken."
        )
    pillow_format = sniff(source.path, source.name)
    image, exif, full_width, full_height = _decode(source.path, pillow_format, side_max_px)
    grey = image.convert("L")
    pixels = np.asarray(grey)
    if pixels.std() < PLAIN_SPREAD:
        shade = "dark" if pixels.mean() < 64 else "bright" if pixels.mean() > 192 else "of one colour"
        raise _Refused(Reject.PLAIN, f"The picture is {shade} all over and shows nothing; take it again.")
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


def meant_as_photo(path: Path) -> bool:
    """Whether a file in a folder of photos is one of them: by its content, or at least by its name. A licence text
    or a hidden file beside the photos is nobody's photo, a broken .jpg is a photo to complain about."""
    if path.name.startswith("."):
        return False
    try:
        sniff(path, path.name)
    except (_Refused, PermissionError):
        return path.suffix.lower() in PHOTO_SUFFIXES
    return True


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sniff(path: Path, name: str) -> str:
    """Pillow's name of the format that the first bytes show. Raises for anything that is not a photo we take; the
    reason speaks of the name where that says otherwise."""
    with path.open("rb") as file:
        head = file.read(64)
    for _, pillow_format, matches in FORMATS:
        if matches(head):
            return pillow_format
    for what, matches in OTHERS:
        if matches(head):
            raise _Refused(Reject.NOT_A_PHOTO, f"This is {what}{_despite(name)}; {_TAKEN}")
    if all(byte in b"\t\n\r\f\x1b" or byte >= 32 for byte in head) and head.isascii():
        raise _Refused(Reject.NOT_A_PHOTO, f"This is a text file{_despite(name)}; {_TAKEN}")
    raise _Refused(Reject.NOT_A_PHOTO, f"The file is of no kind that is known here; {_TAKEN}")


def _despite(name: str) -> str:
    return ", whatever its name says" if Path(name).suffix.lower() in TAKEN_SUFFIXES else ""


_TAKEN = "JPEG, PNG, WebP and HEIC photos are taken."
_big_one = threading.Lock()


def _decode(path: Path, pillow_format: str, side_max_px: int) -> tuple[Image.Image, Exif, int, int]:
    """The upright sRGB picture at most `side_max_px` wide or high, its tags, and the upright full size in px."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=[pillow_format]) as opened:
            width, height = opened.size
            _check_size(width, height, side_max_px)
            if kind := panorama_kind(opened):
                raise _Refused(
                    Reject.PANORAMA,
                    f"This is a panorama ({kind}), which no single camera could have taken; send ordinary photos.",
                )
            exif = read_exif(opened)
            if width * height > BIG_PIXELS:
                with _big_one:
                    if opened.format not in _DRAFTED and width * height * DECODED_BYTES_PER_PIXEL > (
                        available_memory_bytes()
                    ):
                        raise MemoryError
                    image = _shrink(opened, side_max_px)
            else:
                image = _shrink(opened, side_max_px)
            if exif.swaps_sides:
                width, height = height, width
    except _Refused:
        raise
    except UnidentifiedImageError:
        raise _Refused(
            Reject.UNREADABLE, "The file begins like a photo but cannot be opened; take it again or leave it out."
        ) from None
    except MemoryError:
        raise _Refused(
            Reject.TOO_LARGE, "The photo does not fit into the worker's memory; send a smaller one."
        ) from None
    except Exception as error:  # decoders raise almost anything on broken bytes; none of it may end the job
        ends_early = "truncated" in str(error).lower() or _riff_is_short(path)
        what = "ends in the middle of the picture" if ends_early else "is damaged"
        raise _Refused(Reject.UNREADABLE, f"The file {what}; take it again or leave it out.") from None
    return image, exif, width, height


def _riff_is_short(path: Path) -> bool:
    """A WebP that has fewer bytes than its own head says; its decoder does not tell this from other damage."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:8], "little") + 8 > path.stat().st_size


def _check_size(width: int, height: int, side_max_px: int) -> None:
    if width * height > PHOTO_PIXELS_MAX:
        raise _Refused(
            Reject.TOO_LARGE,
            f"The photo has {width}x{height} pixels; at most {PHOTO_PIXELS_MAX // 1_000_000} million are taken.",
        )
    if min(width, height) < PHOTO_SIDE_MIN_PX:
        raise _Refused(
            Reject.TOO_SMALL,
            f"The photo has {width}x{height} pixels; each side needs at least {PHOTO_SIDE_MIN_PX}.",
        )
    left = min(width, height) * side_max_px // max(width, height, side_max_px)
    if left < PHOTO_WORK_SIDE_MIN_PX:
        raise _Refused(
            Reject.TOO_SMALL,
            f"The photo is a strip of {width}x{height} pixels, of which {left} would be left on its shorter side; "
            "send the single photos that it was put together from.",
        )


_DRAFTED = frozenset({"JPEG", "MPO"})
"""Formats that can be decoded at 1/2, 1/4 or 1/8. A JPEG with a second picture in it (phones' gain maps) is an MPO."""


def _shrink(opened: Image.Image, side_max_px: int) -> Image.Image:
    if opened.format in _DRAFTED:
        opened.draft("RGB", (side_max_px, side_max_px))
    opened.load()
    image = _in_strips(opened, int(max(opened.size) / (REDUCING_GAP * side_max_px)))
    image.thumbnail((side_max_px, side_max_px), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return ImageOps.exif_transpose(image)


def _in_strips(decoded: Image.Image, factor: int) -> Image.Image:
    """The picture as sRGB, averaged down by a whole factor, without a second whole copy: that of 250 million pixels
    with transparency came to 3.9 GB, which ends a small worker."""
    if factor < 2:
        return to_srgb(decoded)
    width, height = decoded.size
    out = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top in range(0, height, STRIP_ROWS * factor):
        strip = to_srgb(decoded.crop((0, top, width, min(height, top + STRIP_ROWS * factor))))
        out.paste(strip.reduce(factor), (0, top // factor))
    if orientation := decoded.getexif().get(Base.Orientation):
        out.getexif()[Base.Orientation] = orientation
    return out


def sharpness(grey: Image.Image) -> float:
    """Variance of the Laplacian at SHARPNESS_SIDE_PX, in squared grey levels. Blur lowers it, noise raises it."""
    small = grey.copy()
    small.thumbnail((SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX), Image.Resampling.BOX)
    v = np.asarray(small, dtype=np.float32)
    laplacian = v[:-2, 1:-1] + v[2:, 1:-1] + v[1:-1, :-2] + v[1:-1, 2:] - 4 * v[1:-1, 1:-1]
    return float(laplacian.var())


def _twins(seen: Sequence[_Seen]) -> list[tuple[str, _Refused]]:
    """Every photo that repeats an earlier one: same bytes, or the same picture encoded or sized anew.
    A twin of a held-out photo in the training set would also make the metric a lie."""
    found: list[tuple[str, _Refused]] = []
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
            found.append((item.photo.name, _Refused(Reject.DUPLICATE, f"The same picture as {seen[twin].photo.name}.")))
    return found


def _blurred(seen: Sequence[_Seen]) -> list[tuple[str, _Refused]]:
    if not seen:
        return []
    median = float(np.median([item.photo.sharpness for item in seen]))
    return [
        (
            item.photo.name,
            _Refused(
                Reject.BLURRED,
                f"Much more blurred than the others ({100 * item.photo.sharpness / median:.0f} % of their detail);"
                " hold still or use more light.",
            ),
        )
        for item in seen
        if item.photo.sharpness < BLUR_OF_MEDIAN * median
    ]
