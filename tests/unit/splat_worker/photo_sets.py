"""Sets of files that cannot become a scene, each with the expected error code and part of the message.
Run as a module, it writes their table with the real messages into docs/photos.md."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

PAGE = Path(__file__).parents[3] / "docs/photos.md"
MARK = "<!-- table of sets: python -m tests.unit.splat_worker.photo_sets -->"


def _noise(seed: int, size: tuple[int, int] = (480, 360)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).resize(size, Image.Resampling.NEAREST)


def _jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _other(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


SPHERE = b'<rdf:Description GPano:ProjectionType="equirectangular" GPano:UsePanoramaViewer="True"/>'

Files = dict[str, bytes]


def _first(photos: list[bytes], n: int) -> Files:
    return {f"{i:02d}.jpg": photo for i, photo in enumerate(photos[:n])}


def _each(photos: list[bytes], change: Callable[[bytes], bytes]) -> Files:
    return {name: change(photo) for name, photo in _first(photos, 8).items()}


def _pixels(change: Callable[[Image.Image], Image.Image]) -> Callable[[bytes], bytes]:
    return lambda photo: _jpeg(change(Image.open(io.BytesIO(photo)).convert("RGB")))


def _gradient(seed: int) -> Image.Image:
    ramp = np.linspace(20 + seed * 7, 235 - seed * 5, 480, dtype=np.uint8)[None, :, None]
    return Image.fromarray(ramp.repeat(360, 0).repeat(3, 2))


SETS: list[tuple[str, Callable[[list[bytes]], Files], str, str]] = [
    ("no file at all", lambda p: {}, "TOO_FEW_PHOTOS", "contains no photos"),
    ("only hidden files", lambda p: {".DS_Store": b"x", ".a.jpg": p[0]}, "TOO_FEW_PHOTOS", "contains no photos"),
    ("only a readme", lambda p: {"README.txt": b"hello"}, "TOO_FEW_PHOTOS", "contains no photos"),
    ("one photo", lambda p: _first(p, 1), "TOO_FEW_PHOTOS", "1 of 1 photos is usable"),
    ("four photos", lambda p: _first(p, 4), "TOO_FEW_PHOTOS", "4 of 4 photos are usable"),
    ("four photos and a text named .jpg", lambda p: {**_first(p, 4), "x.jpg": b"text"}, "TOO_FEW_PHOTOS",
     "This is a text file"),
    ("one photo eight times", lambda p: {f"{i}.jpg": p[0] for i in range(8)}, "TOO_FEW_PHOTOS", "same picture as"),
    ("one photo encoded eight times", lambda p: {
        f"{i}.jpg": _jpeg(Image.open(io.BytesIO(p[0])), 40 + 6 * i) for i in range(8)}, "TOO_FEW_PHOTOS",
     "same picture as"),
    ("eight text files named .jpg", lambda p: {f"{i}.jpg": b"not a photo" for i in range(8)}, "PHOTO_UNREADABLE",
     "text file"),
    ("eight web pages named .jpg", lambda p: {f"{i}.jpg": b"<!doctype html>" for i in range(8)}, "PHOTO_UNREADABLE",
     "web page"),
    ("eight empty files", lambda p: {f"{i}.jpg": b"" for i in range(8)}, "TOO_FEW_PHOTOS", "empty"),
    ("eight halves", lambda p: _each(p, lambda photo: photo[: len(photo) // 2]), "PHOTO_UNREADABLE",
     "is incomplete"),
    ("eight heads", lambda p: _each(p, lambda photo: photo[:40]), "PHOTO_UNREADABLE", "The file"),
    ("eight GIFs", lambda p: {f"{i}.gif": _other(_noise(i), "GIF") for i in range(8)}, "PHOTO_UNREADABLE", "a GIF"),
    ("eight TIFFs", lambda p: {f"{i}.tif": _other(_noise(i), "TIFF") for i in range(8)}, "PHOTO_UNREADABLE", "TIFF"),
    ("a video named .jpg, five times", lambda p: {f"{i}.jpg": b"\0\0\0\x18ftypmp42" + bytes(64) for i in range(5)},
     "PHOTO_UNREADABLE", "video is damaged"),
    ("eight PDFs", lambda p: {f"{i}.jpg": b"%PDF-1.4" for i in range(8)}, "PHOTO_UNREADABLE", "a PDF"),
    ("eight archives", lambda p: {f"{i}.jpg": b"PK\x03\x04" + bytes(64) for i in range(8)}, "PHOTO_UNREADABLE",
     "a ZIP archive"),
    ("eight thumbnails", lambda p: _each(p, _pixels(lambda i: i.resize((120, 90)))), "TOO_FEW_PHOTOS", "120x90"),
    ("eight strips", lambda p: _each(p, _pixels(lambda i: i.resize((900, 60)))), "TOO_FEW_PHOTOS", "900x60"),
    ("half of them broken", lambda p: {**_first(p, 4), **{f"x{i}.jpg": p[i][:3000] for i in range(4)}},
     "TOO_FEW_PHOTOS", "4 of 8 photos are usable"),
    ("eight black photos", lambda p: {f"{i}.jpg": _jpeg(Image.new("RGB", (480, 360), (i, 0, 0))) for i in range(8)},
     "TOO_FEW_PHOTOS", "almost black"),
    ("eight different plain colours", lambda p: {
        f"{i}.jpg": _jpeg(Image.new("RGB", (480, 360), (30 * i, 250 - 30 * i, 128))) for i in range(8)},
     "TOO_FEW_PHOTOS", "a single flat colour"),
    ("eight gradients", lambda p: {f"{i}.jpg": _jpeg(_gradient(i)) for i in range(8)}, "SFM_FAILED", "of 8 photos"),
    ("eight photos of different places", lambda p: {f"{i}.jpg": _jpeg(_noise(i)) for i in range(8)}, "SFM_FAILED",
     "0 of 8 photos"),
    ("the scene blurred beyond use", lambda p: _each(p, _pixels(lambda i: i.filter(ImageFilter.GaussianBlur(16)))),
     "SFM_FAILED", "8 of 8 photos are blurred"),
    ("the scene nearly black", lambda p: _each(p, _pixels(lambda i: i.point(lambda v: v // 60))), "TOO_FEW_PHOTOS",
     "almost black"),
    ("the scene overexposed", lambda p: _each(p, _pixels(lambda i: i.point(lambda v: min(255, 245 + v // 26)))),
     "TOO_FEW_PHOTOS", "almost white"),
    ("six 360 degree panoramas", lambda p: {
        f"R{i}.jpg": _other(Image.open(io.BytesIO(photo)).resize((800, 400)), "JPEG", xmp=SPHERE)
        for i, photo in enumerate(p[:6])}, "TOO_FEW_PHOTOS", "a panorama"),
    ("three photos of the scene and five strangers", lambda p: {
        **_first(p, 3), **{f"s{i}.jpg": _jpeg(_noise(i)) for i in range(5)}}, "SFM_FAILED", "of 8 photos"),
    ("every other photo upside down and mirrored", lambda p: {
        f"{i}.jpg": _pixels(lambda im: im.transpose(Image.Transpose.FLIP_LEFT_RIGHT))(p[i]) if i % 2 else _jpeg(
            _noise(i)) for i in range(8)}, "SFM_FAILED", "of 8 photos"),
    ("five noise pictures in PNG", lambda p: {
        f"{i}.png": _other(Image.fromarray(np.random.default_rng(i).integers(0, 255, (300, 400, 3), dtype=np.uint8)),
                           "PNG") for i in range(5)}, "SFM_FAILED", "0 of 5 photos"),
]  # fmt: skip


def message_and_hint(make: Callable[[list[bytes]], Files], originals: list[bytes]) -> str:
    """What the command prints for this set, as two table cells."""
    from splat_worker.__main__ import main

    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for file, content in make(originals).items():
            (photos / file).write_bytes(content)
        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            main([str(photos), str(Path(folder) / "out"), "--steps", "10"])
        message, hint = (line.split(": ", 1)[1] for line in shown.getvalue().strip().splitlines()[-2:])
        return f"{message.replace(str(photos), 'PHOTOS')} | {hint}"


def write_page() -> None:
    from tests.unit.splat_worker.drawn_scene import draw

    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(Path(folder), count=12, width=480, height=360)
        originals = [(drawn.folder / name).read_bytes() for name in drawn.names]
    rows = [f"| {name} | `{code}` | {message_and_hint(make, originals)} |" for name, make, code, _ in SETS]
    head = PAGE.read_text().split(MARK)[0]
    table = "\n".join(["| set | code | message | hint |", "|---|---|---|---|", *rows])
    PAGE.write_text(f"{head}{MARK}\n\n{table}\n")


if __name__ == "__main__":
    sys.exit(write_page())
