"""From scene light to a photo file: exposure, film curve, dither, JPEG with EXIF.

Pure numbers and bytes; touches no disk.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from samples.render.cameras import F_NUMBER, FOCAL_MM
from samples.render.paint.noise import Array

TAKEN_AT = "2026:11:23 10:{minute:02d}:{second:02d}"


def film_curve(linear: Array, exposure: float) -> Array:
    """Linear RGB (H, W, 3) to display sRGB 0..1: a toe, a long shoulder, colours paling in the lights.

    The curve is the rational fit of the ACES reference output transform by Stephen Hill (MIT licence in the
    Baking Lab, 2015): two matrices around one curve, so that bright colours lose saturation as film does.
    """
    into = np.array([[0.59719, 0.35458, 0.04823], [0.07600, 0.90834, 0.01566], [0.02840, 0.13383, 0.83777]])
    out = np.array([[1.60475, -0.53108, -0.07367], [-0.10208, 1.10813, -0.00605], [-0.00327, -0.07276, 1.07602]])
    x = np.clip(linear, 0, None) * exposure @ into.T
    x = (x * (x + 0.0245786) - 0.000090537) / (x * (0.983729 * x + 0.4329510) + 0.238081)
    x = np.clip(x @ out.T, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def to_bytes(display: Array, rng: np.random.Generator) -> Array:
    """Display sRGB 0..1 to uint8 with dither."""
    return np.clip(display * 255 + rng.uniform(0, 1, display.shape), 0, 255).astype(np.uint8)


def jpeg(pixels: Array, *, number: int, quality: int) -> bytes:
    """uint8 (H, W, 3) to JPEG bytes with what a camera writes: maker, focal length, exposure, time."""
    exif = Image.Exif()
    exif[Base.Make] = "photo-splat samples"
    exif[Base.Model] = "Mitsuba 3 pinhole 38 mm"
    exif[Base.Orientation] = 1
    exif[Base.Copyright] = "CC0 1.0"
    exif[Base.Software] = "samples/render"
    when = TAKEN_AT.format(minute=number // 2, second=30 * (number % 2))
    exif[Base.DateTime] = when
    detail = exif.get_ifd(IFD.Exif)
    detail[Base.DateTimeOriginal] = when
    detail[Base.FocalLength] = IFDRational(round(FOCAL_MM * 10), 10)
    detail[Base.FocalLengthIn35mmFilm] = round(FOCAL_MM)
    detail[Base.FNumber] = IFDRational(round(F_NUMBER * 10), 10)
    detail[Base.ExposureTime] = IFDRational(1, 15)
    detail[Base.ISOSpeedRatings] = 200
    detail[Base.ExifImageWidth] = pixels.shape[1]
    detail[Base.ExifImageHeight] = pixels.shape[0]
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling=2, optimize=True, exif=exif)
    return out.getvalue()
