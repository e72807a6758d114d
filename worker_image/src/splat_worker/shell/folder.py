"""The photos and clips of a folder, or one clip, for a run from a shell, under names that any terminal and any JSON
reader takes.
Reads first bytes only; the pipeline judges the pictures.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from splat_worker.errors import Code, JobError
from splat_worker.photos.mask import FOLDER as MASKS
from splat_worker.photos.mask import masks_by_photo
from splat_worker.photos.sniff import is_video, meant_as_photo
from splat_worker.photos.validation import Source

PERMISSION_HINT = (
    "Use a folder that you have access to. A container has its own user; "
    'start it with --user "$(id -u):$(id -g)" to use yours.'
)


def find_sources(photos: Path, out: Path) -> list[Source]:
    """The files of `photos` and its subfolders that somebody may take for photos, in natural order, with their masks
    from the folder `masks`; or `photos` itself, if it is a clip.

    Leaves out hidden files and everything in `out`. Raises JobError if the folder cannot be read, holds none, or is
    `out` itself.
    """
    if photos.is_file() and os.access(photos, os.R_OK) and is_video(photos):
        return [Source(name=readable(photos.name), path=photos)]
    if not photos.is_dir():
        what = "is not a folder" if photos.exists() else "does not exist"
        raise JobError(
            Code.BAD_INPUT, f"{shown(photos)} {what}.", hint="Pass the folder with your photos, or a clip (MP4 or MOV)."
        )
    if out.exists() and out.samefile(photos):
        raise JobError(
            Code.BAD_INPUT,
            f"The scene cannot be written to {shown(out)}, which holds the photos.",
            hint="Name another folder for the scene, for example a new one beside it.",
        )
    found: list[Source] = []
    taken: set[str] = set()
    try:
        for path in _files(photos, out):
            if path.is_relative_to(photos / MASKS):
                continue
            if meant_as_photo(path):
                name = _unused(readable(path.relative_to(photos).as_posix()), taken)
                taken.add(name)
                found.append(Source(name=name, path=path))
    except PermissionError as error:
        place = shown(Path(error.filename or photos))
        raise JobError(Code.BAD_INPUT, f"You have no permission to read {place}.", hint=PERMISSION_HINT) from None
    if not found:
        raise JobError(Code.TOO_FEW_PHOTOS, f"{shown(photos)} contains no photos.")
    return _with_masks(found, photos)


def _with_masks(found: list[Source], photos: Path) -> list[Source]:
    """Each photo with its mask from the folder `masks`. Raises JobError if none of them belongs to a photo."""
    folder = photos / MASKS
    if not folder.is_dir():
        return found
    masks = {path.relative_to(folder).as_posix(): path for path in _files(folder, folder / "-") if path.suffix}
    of_photo = masks_by_photo((source.path.relative_to(photos).as_posix() for source in found), masks)
    if masks and not of_photo:
        raise JobError(
            Code.BAD_INPUT,
            f"No mask in {shown(folder)} has the name of a photo; the first is {readable(min(masks))}.",
            hint="Name each mask like its photo, for example masks/IMG_1.png for IMG_1.jpg. White is what is kept.",
        )
    return [replace(source, mask=of_photo.get(source.path.relative_to(photos).as_posix())) for source in found]


def readable(name: str) -> str:
    """The name as text that prints and encodes: bytes that are no UTF-8 and control characters become escapes
    such as `caf\\xe9.jpg`."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def shown(path: Path) -> str:
    return readable(str(path))


def _files(folder: Path, out: Path) -> Iterator[Path]:
    """Every file below, also links that lead nowhere, in natural order."""

    def fail(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=fail):
        below = Path(here)
        folders[:] = sorted((name for name in folders if _is_searched(below / name, out)), key=_natural_order)
        for name in sorted(files, key=_natural_order):
            path = below / name
            # Nothing that would wait for a writer or never end: pipes, sockets, devices.
            if path.is_file() or not path.exists():
                yield path


def _is_searched(folder: Path, out: Path) -> bool:
    return not folder.name.startswith(".") and not (out.exists() and out.samefile(folder))


def _natural_order(name: str) -> list[tuple[int, str]]:
    """IMG_2 before IMG_10: sequential matching compares neighbours."""
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", name)]


def _unused(name: str, taken: set[str]) -> str:
    """Two names that differ only in what cannot be printed stay two."""
    number, unused = 2, name
    while unused in taken:
        unused, number = f"{name} ({number})", number + 1
    return unused
