"""The real type of a file, read from its first bytes and never from its name.
Decodes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from splat_worker.photos.reject import Refused, Reject

TAKEN_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif"})
EXPECTED_SUFFIXES = TAKEN_SUFFIXES | {
    *(".gif", ".tif", ".tiff", ".bmp", ".jxl"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"),
    *(".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mts", ".3gp"),
    *(".zip", ".pdf"),
}
"""Files that people may expect to count, as `splat reconstruct` names them when it leaves them out."""

FORMATS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    ("JPEG", "JPEG", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("PNG", "PNG", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("WebP", "WEBP", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    ("HEIC", "HEIF", lambda head: head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS),
    ("AVIF", "AVIF", lambda head: head[4:12] in (b"ftypavif", b"ftypavis")),
)
VIDEO_BRANDS = frozenset(
    (
        *(b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"qt  "),
        *(b"M4V ", b"MSNV", b"XAVC", b"3gp4", b"3gp5", b"3gp6"),
    )
)
"""Major brands of MP4 and MOV files (ISO/IEC 14496-12), as phones and cameras write them."""
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
OTHERS: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("a GIF", lambda head: head.startswith(b"GIF8")),
    ("a BMP", lambda head: head.startswith(b"BM")),
    ("a TIFF or camera raw file", lambda head: head[:4] in (b"II*\x00", b"MM\x00*")),
    ("a video", lambda head: head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3"),
    ("a PDF", lambda head: head.startswith(b"%PDF")),
    ("a ZIP archive", lambda head: head.startswith(b"PK\x03\x04")),
    ("a web page", lambda head: head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<?xml"))),
)
_TAKEN = "Use JPEG, PNG, WebP, HEIC or AVIF."
_TAKEN_VIDEO = "Use MP4 or MOV."


def meant_as_photo(path: Path) -> bool:
    """Whether somebody may expect a file of a folder to be used, by its content or by its name.

    A licence text or a hidden file is skipped silently. A broken .jpg, a link that leads nowhere, a raw file and a
    video get a reason.
    """
    if path.name.startswith("."):
        return False
    try:
        if is_video(path):
            return True
        sniff(path, path.name)
    except (Refused, OSError):
        return path.suffix.lower() in EXPECTED_SUFFIXES
    return True


def is_video(path: Path) -> bool:
    """Whether the first bytes are those of an MP4 or MOV file. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:12] in VIDEO_BRANDS


def sniff(path: Path, name: str) -> str:
    """Pillow's name of the format that the first bytes show. Raises Refused for any other file; the reason mentions
    the name's suffix where the suffix claims a photo."""
    with path.open("rb") as file:
        head = file.read(64)
    for _, pillow_format, matches in FORMATS:
        if matches(head):
            return pillow_format
    for what, matches in OTHERS:
        if matches(head):
            taken = _TAKEN_VIDEO if what == "a video" else _TAKEN
            raise Refused(Reject.NOT_A_PHOTO, f"This is {what}{_despite(name)}. {taken}")
    if all(byte in b"\t\n\r\f\x1b" or byte >= 32 for byte in head) and head.isascii():
        raise Refused(Reject.NOT_A_PHOTO, f"This is a text file{_despite(name)}. {_TAKEN}")
    raise Refused(Reject.NOT_A_PHOTO, f"This file type is not supported. {_TAKEN}")


def _despite(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return f", not a {suffix} photo" if suffix in TAKEN_SUFFIXES else ""
