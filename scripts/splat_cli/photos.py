"""The photos of a folder: which files go up, as what type, and which are left out with the reason.
Reads first bytes only; the worker judges the pictures themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.splat_cli.errors import CommandError

HEAD_BYTES = 16
HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"}


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A file that will be uploaded. `type` comes from its first bytes, never from its name."""

    path: Path
    type: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A file that looks like a photo by name and is not taken, with the reason in plain words."""

    path: Path
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
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "image/heic"
    return None


def find_photos(folder: Path, limits: Limits) -> tuple[list[Photo], list[LeftOut]]:
    """Photos of a folder by name, and what was left out.

    Raises CommandError when the folder is missing, or holds too few or too many photos.
    """
    if not folder.is_dir():
        raise CommandError(f"{folder} is not a folder.", hint="give the folder that holds the photos")
    names = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    photos, left_out = sift(names, limits)
    if len(photos) < limits.photos_min:
        said = f"{folder} holds {len(photos)} photos that can be used, {limits.photos_min} or more are needed."
        if left_out:
            said += "".join(f"\n  {item.path.name}: {item.reason}" for item in left_out[:10])
        raise CommandError(
            said, hint="take 20 to 60 photos all around the subject, each overlapping the last by two thirds"
        )
    if len(photos) > limits.photos_max:
        raise CommandError(
            f"{folder} holds {len(photos)} photos, at most {limits.photos_max} are taken.",
            hint="move some of them out: every second photo of a long series is a good start",
        )
    return photos, left_out


def sift(paths: Iterable[Path], limits: Limits) -> tuple[list[Photo], list[LeftOut]]:
    """Split files into photos and the rest, each of the rest with its reason."""
    photos: list[Photo] = []
    left_out: list[LeftOut] = []
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            kind = type_of(file.read(HEAD_BYTES))
        if kind is None:
            left_out.append(LeftOut(path=path, reason="not a JPEG, PNG, WebP or HEIC picture, whatever its name says"))
        elif size > limits.photo_bytes_max:
            allowed = limits.photo_bytes_max / 1e6
            left_out.append(LeftOut(path=path, reason=f"{size / 1e6:.1f} MB, at most {allowed:.0f} MB are taken"))
        else:
            photos.append(Photo(path=path, type=kind, size_bytes=size))
    return photos, left_out


def digest(photos: Sequence[Photo], *, preset: str) -> str:
    """SHA-256 hex over names, contents and preset: the same photos make the same scene."""
    total = hashlib.sha256(preset.encode())
    for photo in photos:
        total.update(photo.path.name.encode() + b"\0")
        total.update(hashlib.sha256(photo.path.read_bytes()).digest())
    return total.hexdigest()
