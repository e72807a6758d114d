"""Decodes a file to an upright sRGB image of the working size, and reads its tags.
Checks the size before decoding, and keeps no second full copy of a large image.
"""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

import pillow_heif
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from splat_worker.limits import PHOTO_PIXELS_MAX, PHOTO_SIDE_MIN_PX, PHOTO_WORK_SIDE_MIN_PX, available_memory_bytes
from splat_worker.photos.exif import Exif, read_exif
from splat_worker.photos.panorama import panorama, panorama_by_tags
from splat_worker.photos.pixels import to_srgb
from splat_worker.photos.reject import Refused, Reject

pillow_heif.register_heif_opener(thumbnails=False)
Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before decoding
ImageFile.LOAD_TRUNCATED_IMAGES = False

BIG_PIXELS = 60_000_000
"""Larger photos are decoded one at a time, so that memory does not grow with the number of cores."""
DECODED_BYTES_PER_PIXEL = 5
"""Pillow stores RGB and RGBA in 4 bytes; the rest is for the current strip."""
STRIP_ROWS = 64
REDUCING_GAP = 3.0
"""An image is first averaged down to this multiple of its final size, then resized with a good filter."""

_big_photo_lock = threading.Lock()


def decode(path: Path, pillow_format: str, side_max_px: int) -> tuple[Image.Image, Exif, int, int]:
    """The upright sRGB image (RGB, or RGBA if it has an alpha channel), at most `side_max_px` on its longer side; its
    tags; its upright full size in px."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=[pillow_format]) as opened:
            width, height = opened.size
            _check_size(width, height, side_max_px)
            if kind := panorama_by_tags(opened):
                raise panorama(kind)
            exif = read_exif(opened)
            if width * height > BIG_PIXELS:
                with _big_photo_lock:
                    if opened.format not in _DRAFTED and width * height * DECODED_BYTES_PER_PIXEL > (
                        available_memory_bytes()
                    ):
                        raise MemoryError
                    image = _shrink(opened, side_max_px)
            else:
                image = _shrink(opened, side_max_px)
            if exif.swaps_sides:
                width, height = height, width
    except Refused:
        raise
    except UnidentifiedImageError:
        raise Refused(
            Reject.UNREADABLE, "The file starts like a photo but cannot be opened. Copy it again from the camera."
        ) from None
    except MemoryError:
        raise Refused(
            Reject.TOO_LARGE, "The photo needs more memory than the worker has. Use a smaller copy."
        ) from None
    except Exception as error:  # decoders raise almost anything on damaged bytes
        ends_early = "truncated" in str(error).lower() or _riff_is_short(path)
        what = "incomplete" if ends_early else "damaged"
        raise Refused(Reject.UNREADABLE, f"The file is {what}. Copy it again from the camera.") from None
    return image, exif, width, height


def _riff_is_short(path: Path) -> bool:
    """A WebP with fewer bytes than its header declares. Its decoder does not distinguish this from other damage."""
    with path.open("rb") as file:
        head = file.read(8)
    return head[:4] == b"RIFF" and int.from_bytes(head[4:8], "little") + 8 > path.stat().st_size


def _check_size(width: int, height: int, side_max_px: int) -> None:
    if width * height > PHOTO_PIXELS_MAX:
        raise Refused(
            Reject.TOO_LARGE,
            f"The photo has {width}x{height} pixels; the limit is {PHOTO_PIXELS_MAX // 1_000_000} million pixels.",
        )
    if min(width, height) < PHOTO_SIDE_MIN_PX:
        raise Refused(
            Reject.TOO_SMALL,
            f"The photo has {width}x{height} pixels; each side needs at least {PHOTO_SIDE_MIN_PX}.",
        )
    if min(width, height) * side_max_px // max(width, height, side_max_px) < PHOTO_WORK_SIDE_MIN_PX:
        raise Refused(
            Reject.TOO_SMALL,
            f"The photo is a strip of {width}x{height} pixels, which is too narrow. Use the photos it was made from.",
        )


_DRAFTED = frozenset({"JPEG", "MPO"})
"""Formats that can be decoded at 1/2, 1/4 or 1/8 size. A JPEG with a second image (a phone's gain map) is an MPO."""


def _shrink(opened: Image.Image, side_max_px: int) -> Image.Image:
    if opened.format in _DRAFTED:
        opened.draft("RGB", (side_max_px, side_max_px))
    opened.load()
    image = _in_strips(opened, int(max(opened.size) / (REDUCING_GAP * side_max_px)))
    image.thumbnail((side_max_px, side_max_px), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return ImageOps.exif_transpose(image)


def _in_strips(decoded: Image.Image, factor: int) -> Image.Image:
    """The image as sRGB, averaged down by a whole factor. A second full copy of 250 million pixels with transparency
    would take 3.9 GB, too much for a small worker."""
    if factor < 2:
        return to_srgb(decoded)
    width, height = decoded.size
    out: Image.Image | None = None
    for top in range(0, height, STRIP_ROWS * factor):
        strip = to_srgb(decoded.crop((0, top, width, min(height, top + STRIP_ROWS * factor))))
        if out is None:
            out = Image.new(strip.mode, (-(-width // factor), -(-height // factor)))
        out.paste(strip.reduce(factor), (0, top // factor))
    assert out is not None
    if orientation := decoded.getexif().get(Base.Orientation):
        out.getexif()[Base.Orientation] = orientation
    return out
