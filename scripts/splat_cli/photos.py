"""The photos and clips of a folder, or one clip: which files go up, under which name and type, and which are left out
with the reason.
Reads first bytes and digests only; the worker judges the pictures themselves."""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from scripts.splat_cli.errors import CommandError

HEAD_BYTES = 16
HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"}
# Named when they are left out, since people expect them to count; any other file is passed over in silence.
EXPECTED_SUFFIXES = {
    *PHOTO_SUFFIXES,
    *(".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".3gp"),
    *(".gif", ".tif", ".tiff", ".bmp", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"),
    *(".zip", ".pdf"),
}
VIDEO_BRANDS = {
    *(b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"qt  "),
    *(b"M4V ", b"MSNV", b"XAVC", b"3gp4", b"3gp5", b"3gp6"),
}
# docs/contracts/photo-types.json
VIDEO_BYTES_MAX = 4 << 30
VIDEO_SECONDS_MAX = 600
FRAMES_PER_S, FRAMES_MIN, FRAMES_MAX = 2, 20, 200
MASKS = "masks"  # a folder with a mask for each photo, which only `make worker` reads
NAME_LENGTH_MAX = 255  # docs/contracts.md
BOXES_MAX = 1000  # of a clip; phones write about ten
A_MASK = "a mask; masks work in make worker, and here photos with a transparent background do (PNG, WebP)"
LISTED = 10  # files named one by one before the rest is counted
HOW_TO_TAKE = "take 20 to 60 photos all around the subject, each overlapping the last by two thirds"


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo or clip that will be uploaded. `type` comes from its first bytes, never from its name.
    `seconds`: length of a clip.

    `name` is the path below the chosen folder: two subfolders may both hold an IMG_1.jpg.
    """

    path: Path
    name: str
    type: str
    size_bytes: int
    seconds: float | None = None

    @property
    def frames(self) -> int:
        """How many photos it counts for: a clip gives frames by its length, at most this many."""
        if self.seconds is None:
            return 1
        return min(max(round(FRAMES_PER_S * self.seconds), FRAMES_MIN), FRAMES_MAX)


def photos_in(found: Sequence[Photo]) -> int:
    return sum(one.frames for one in found)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that a person may expect to be used and that is not, with the reason in plain words."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the service takes (GET /api/settings)."""

    photos_min: int
    photos_max: int
    photo_bytes_max: int


def type_of(head: bytes) -> str | None:
    """Media type by magic bytes (first 16), or None for anything that is not a photo."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS | AVIF_BRANDS:
        return "image/heic" if head[8:12] in HEIF_BRANDS else "image/avif"
    if head[4:8] == b"ftyp" and head[8:12] in VIDEO_BRANDS:
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    return None


def seconds_of(clip: Path) -> float | None:
    """Length of an MP4 or MOV by its movie header (ISO/IEC 14496-12), or None where there is none. Raises OSError."""
    with clip.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        found = _box(file, 0, end, b"moov")
        header = found and _box(file, *found, b"mvhd")
        if not header:
            return None
        file.seek(header[0])
        data = file.read(32)
    wide = data[:1] == b"\1"
    scale, length = struct.unpack_from(">IQ" if wide else ">II", data.ljust(32, b"\0"), 20 if wide else 12)
    return length / scale if scale and length else None


def _box(file: BinaryIO, begin: int, end: int, name: bytes) -> tuple[int, int] | None:
    """Begin and end of the content of the first box of this name between two places of the file."""
    for _ in range(BOXES_MAX):
        if begin + 8 > end:
            return None
        file.seek(begin)
        size, kind = struct.unpack(">I4s", file.read(8))
        content = begin + 8
        if size == 1:
            size, content = int.from_bytes(file.read(8), "big"), begin + 16
        last = end if size == 0 else begin + size
        if last < content or last > end:
            return None
        if kind == name:
            return content, last
        begin = last
    return None


def why_not(head: bytes) -> str:
    """What a file is that is no photo, in words, by its first bytes (up to 16)."""
    if not head:
        return "the file is empty"
    kinds = (
        (
            head[4:8] in {b"ftyp", b"moov", b"mdat"} or head[8:12] == b"AVI " or head.startswith(b"\x1aE\xdf\xa3"),
            "a video of another kind; save it as MP4",
        ),
        (head.startswith(b"GIF8"), "a GIF; save it as JPEG"),
        (head[:4] in {b"II*\0", b"MM\0*"}, "a TIFF or camera raw file; save it as JPEG"),
        (head.startswith(b"PK\x03\x04"), "a ZIP archive; unpack it first"),
    )
    no_photo = "not a JPEG, PNG, WebP, HEIC or AVIF picture, nor an MP4 or MOV clip"
    return next((words for matches, words in kinds if matches), no_photo)


def check_folder(folder: Path) -> Path:
    """The folder, or the clip, with `~` resolved. Raises CommandError when it is missing, another file or not
    readable."""
    folder = folder.expanduser()
    if not folder.exists():
        raise CommandError(f"{folder} does not exist.", hint=f"check the path; relative paths start at {Path.cwd()}")
    if not folder.is_dir():
        if _is_clip(folder):
            return folder
        raise CommandError(
            f"{folder} is a file, not a folder.",
            hint=f"pass the folder that holds the photos: {folder.parent}; or an MP4 or MOV clip",
        )
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be read: {error.strerror}.", hint="check its permissions with ls -ld"
        ) from None
    return folder


def find_photos(folder: Path, limits: Limits) -> tuple[list[Photo], list[LeftOut]]:
    """Photos of a folder and its subfolders in natural order (2 before 10), and the files left out.

    Raises CommandError when the folder cannot be read, or holds too few or too many photos.
    """
    folder = check_folder(folder)
    clip_alone = not folder.is_dir()
    photos, left_out = sift(folder.parent if clip_alone else folder, [folder] if clip_alone else _files(folder), limits)
    if clip_alone and not photos:
        raise CommandError(f"{folder} cannot be used: {left_out[0].reason}.", hint="film again, or convert the clip")
    if photos_in(photos) < limits.photos_min:
        said = f"{folder} holds {_counted(photos)} that can be used, {limits.photos_min} or more are needed."
        raise CommandError("\n  ".join([said, *told(left_out)]), hint=HOW_TO_TAKE)
    if len(photos) > limits.photos_max or sum(one.seconds is None for one in photos) > limits.photos_max:
        raise CommandError(
            f"{folder} holds {len(photos)} photos, at most {limits.photos_max} are allowed.",
            hint="move some of them out, for example every second photo of a long series",
        )
    return photos, left_out


def told(left_out: Sequence[LeftOut]) -> list[str]:
    """A line for each of the first ten files left out, and one with the number of the rest."""
    lines = [f"left out {item.name}: {item.reason}" for item in left_out[:LISTED]]
    if len(left_out) > LISTED:
        lines.append(f"left out {len(left_out) - LISTED} more")
    return lines


def sift(folder: Path, paths: Iterable[Path], limits: Limits) -> tuple[list[Photo], list[LeftOut]]:
    """Split files into photos and files left out, with a reason for each that a person may miss."""
    found = [one for path in paths if (one := _inspect(path, folder, limits)) is not None]
    left_out = [one for one in found if isinstance(one, LeftOut)]
    photos, duplicates = _without_duplicates([one for one in found if isinstance(one, Photo)])
    return photos, left_out + duplicates


def digest(photos: Sequence[Photo], *, preset: str) -> str:
    """SHA-256 hex over names, contents and preset: the same photos make the same scene."""
    total = hashlib.sha256(preset.encode())
    for photo in photos:
        total.update(photo.name.encode() + b"\0")
        total.update(bytes.fromhex(_sha256(photo.path)))
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Every file below that is not hidden or in a hidden folder, in natural order."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural_order)
        for name in sorted((name for name in files if not name.startswith(".")), key=_natural_order):
            yield Path(here) / name


def _natural_order(name: str) -> list[tuple[int, str]]:
    """Sort key that puts IMG_2 before IMG_10: neighbours in a walk stay neighbours."""
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name)]


def _inspect(path: Path, folder: Path, limits: Limits) -> Photo | LeftOut | None:
    """What one file is. None for a file that nobody takes for a photo."""
    name = _as_sent(path.relative_to(folder))
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        return LeftOut(name=name, reason="a link to a file that does not exist")
    except OSError as error:
        return LeftOut(name=name, reason=f"cannot be read: {error.strerror}")
    kind = type_of(head)
    if kind is not None and kind.startswith("video/"):
        return _inspect_clip(path, name, kind, size)
    if kind is None:
        return LeftOut(name=name, reason=why_not(head)) if path.suffix.lower() in EXPECTED_SUFFIXES else None
    if path.relative_to(folder).parts[:-1][:1] == (MASKS,):
        return LeftOut(name=name, reason=A_MASK)
    return _inspect_photo(Photo(path=path, name=name, type=kind, size_bytes=size), limits)


def _inspect_photo(photo: Photo, limits: Limits) -> Photo | LeftOut:
    if photo.size_bytes <= limits.photo_bytes_max:
        return photo
    sizes = f"{photo.size_bytes / 1e6:.1f} MB, at most {limits.photo_bytes_max / 1e6:.0f} MB are allowed"
    return LeftOut(name=photo.name, reason=sizes)


def _inspect_clip(path: Path, name: str, kind: str, size: int) -> Photo | LeftOut:
    seconds = seconds_of(path)
    if seconds is None:
        return LeftOut(name=name, reason="the clip is damaged or incomplete; copy it again from the camera")
    if size > VIDEO_BYTES_MAX:
        return LeftOut(name=name, reason=f"{size / 1e9:.1f} GB, at most {VIDEO_BYTES_MAX / 1e9:.1f} GB are allowed")
    if seconds > VIDEO_SECONDS_MAX:
        limit = VIDEO_SECONDS_MAX // 60
        return LeftOut(name=name, reason=f"{seconds / 60:.1f} min long, at most {limit} min are allowed; cut it")
    return Photo(path=path, name=name, type=kind, size_bytes=size, seconds=round(seconds, 3))


def _is_clip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return (type_of(file.read(HEAD_BYTES)) or "").startswith("video/")
    except OSError:
        return False


def _without_duplicates(photos: Sequence[Photo]) -> tuple[list[Photo], list[LeftOut]]:
    """The first file of each group with the same bytes. Reads only files of the same size."""
    sizes = Counter(photo.size_bytes for photo in photos)
    first: dict[str, str] = {}
    kept: list[Photo] = []
    duplicates: list[LeftOut] = []
    for photo in photos:
        key = _sha256(photo.path) if sizes[photo.size_bytes] > 1 else photo.name
        if key in first:
            duplicates.append(LeftOut(name=photo.name, reason=f"the same picture as {first[key]}"))
        else:
            first[key] = photo.name
            kept.append(photo)
    return kept, duplicates


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def readable(name: str) -> str:
    """A name that the service accepts: control and direction characters and invalid bytes become question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _as_sent(below: Path) -> str:
    """A path below the folder as a name that the service accepts. Keeps the end of a path that is too long."""
    return readable(below.as_posix())[-NAME_LENGTH_MAX:]


def _counted(photos: Sequence[Photo]) -> str:
    return "no photos" if not photos else "1 photo" if len(photos) == 1 else f"{len(photos)} photos"
