"""Photos: every format that is accepted, damaged, and bombs: small files that claim or unpack to a lot."""

from __future__ import annotations

import functools
import io
import random
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from splat_worker.contract.job_report import Rejected
from splat_worker.photos.validation import Source, prepare
from tests.fuzz.mutate import damage_bytes

pillow_heif.register_heif_opener(thumbnails=False)
SIDE_MAX_PX = 480
ROTATED = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
SIDES = (0, 1, 300, 16_000, 65_535, 2**31 - 1)
UNPACKED_BYTES = 300_000_000


@functools.cache
def corpus() -> tuple[bytes, ...]:
    """Small whole photos: JPEG (plain, progressive, grey, CMYK, with tags), PNG (of each mode), WebP, HEIC."""
    rows, columns = np.mgrid[0:240, 0:320]
    wave = 127 + 60 * np.sin(columns / 7) + 50 * np.cos(rows / 5 + columns / 31)
    colour = np.stack([wave, np.roll(wave, 9, 1), 255 - wave], axis=2).astype(np.uint8)
    picture = Image.fromarray(colour)
    deep = Image.fromarray((wave * 256).astype(np.uint16))
    alpha = picture.convert("RGBA")
    alpha.putalpha(128)

    def saved(image: Image.Image, kind: str, **how: object) -> bytes:
        out = io.BytesIO()
        image.save(out, kind, **how)
        return out.getvalue()

    return (
        saved(picture, "JPEG"),
        saved(picture, "JPEG", progressive=True, exif=ROTATED),
        saved(picture.convert("L"), "JPEG"),
        saved(picture.convert("CMYK"), "JPEG"),
        saved(picture, "PNG"),
        saved(picture.convert("P"), "PNG", transparency=3),
        saved(deep, "PNG"),
        saved(alpha, "PNG"),
        saved(picture, "PNG", save_all=True, append_images=[picture, picture]),
        saved(picture, "WEBP"),
        saved(alpha, "WEBP", lossless=True),
        saved(picture, "WEBP", save_all=True, append_images=[picture], exif=ROTATED),
        saved(picture, "HEIF"),
    )


def make(rng: random.Random) -> bytes:
    return _bomb(rng) if rng.random() < 0.1 else damage_bytes(rng, corpus())


def check(case: bytes, folder: Path) -> None:
    """The photo is taken or refused with a reason for people."""
    file = folder / "photo"
    file.write_bytes(case)
    done = prepare([Source(name="photo.jpg", path=file)], folder / "out", side_max_px=SIDE_MAX_PX)
    assert len(done.photos) + len(done.rejected) == 1, done
    for photo in done.photos:
        with Image.open(photo.path) as image:
            assert (image.size, image.format) == ((photo.width, photo.height), "JPEG")
            assert max(image.size) <= SIDE_MAX_PX
    for rejected in done.rejected:
        _is_readable(rejected)


def _is_readable(rejected: Rejected) -> None:
    assert 10 < len(rejected.reason) < 300, rejected
    assert rejected.reason.endswith("."), rejected
    assert not re.search(r"Traceback|Error:|/tmp|\b0x", rejected.reason), rejected


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@functools.cache
def _zeros() -> bytes:
    return zlib.compress(bytes(UNPACKED_BYTES), 9)


def _bomb(rng: random.Random) -> bytes:
    """A PNG with right checksums: any size, and parts that unpack to far more than the file has."""
    width, height = rng.choice(SIDES), rng.choice(SIDES)
    depth, colour = rng.choice(((8, 2), (8, 6), (16, 2), (1, 0), (8, 3), (3, 9)))
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, rng.choice((0, 1))))
    data = rng.choice((_zeros, lambda: zlib.compress(bytes(300 * 301 * 3)), lambda: b""))()
    extra = rng.choice(
        (
            lambda: b"",
            lambda: _chunk(b"iCCP", b"profile\x00\x00" + _zeros()),
            lambda: _chunk(b"zTXt", b"Comment\x00\x00" + _zeros()),
            lambda: _chunk(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + _zeros()),
            lambda: _chunk(b"eXIf", ROTATED[6:]) * 1000,
            lambda: _chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
            lambda: _chunk(b"PLTE", bytes(768)) + _chunk(b"tRNS", bytes(256)),
        )
    )()
    return b"\x89PNG\r\n\x1a\n" + head + extra + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
