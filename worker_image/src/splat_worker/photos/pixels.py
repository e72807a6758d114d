"""Converts any decoded image to 8-bit sRGB, including 16-bit, palette, transparent, CMYK and wide-gamut images."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_SRGB = ImageCms.createProfile("sRGB")


def to_srgb(image: Image.Image) -> Image.Image:
    """A copy in RGB, or in RGBA where the image has an alpha channel, that keeps the orientation tag for
    exif_transpose."""
    exif = image.getexif()
    profile = image.info.get("icc_profile")
    if image.mode in _SIXTEEN_BIT:
        copy = Image.fromarray((np.asarray(image, dtype=np.uint32) >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    elif image.mode == "F":
        copy = Image.fromarray(np.nan_to_num(np.asarray(image)).clip(0, 255).astype(np.uint8)).convert("RGB")
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        straight = image.convert("RGBA")
        copy = _by_profile(straight.convert("RGB"), profile) if profile else straight.convert("RGB")
        copy.putalpha(straight.getchannel("A"))
    else:
        copy = _by_profile(image, profile) if profile else image.convert("RGB")
    copy.info.clear()
    orientation = exif.get(0x0112)
    if orientation:
        copy.getexif()[0x0112] = orientation
    return copy


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Converted by the image's colour profile (phones write Display P3). A malformed profile counts as sRGB."""
    source = image if image.mode in ("RGB", "CMYK") else image.convert("RGB")
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(embedded)
        if "sRGB" in name and source.mode == "RGB":
            return source.copy()
        converted = ImageCms.profileToProfile(source, embedded, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return source.convert("RGB")
    return converted if converted is not None else source.convert("RGB")
