"""Recognises panoramas, which no single camera can have taken: by their tags, their shape, or edges that meet.
Never raises on malformed tags.
"""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from splat_worker.photos.gravity import xmp_of
from splat_worker.photos.reject import Refused, Reject

STITCHED_RATIO_MIN = 3.5
"""Sides of a panorama that a phone stitched. The longest single photos (65:24 film, cinema crops) stay below 2.8."""
EQUIRECTANGULAR_RATIO = 2.0
RATIO_TOLERANCE = 0.01
EDGE_ROWS = 256
EDGE_DETAIL_MIN = 3.0
"""Grey levels of detail below which nothing shows whether two edges meet: plain backgrounds are alike on both sides."""
EDGE_CORRELATION_MIN = 0.5
"""Of the detail along the left and the right edge. The edges of 231 crops of 2:1 from three sets reach 0.27 at
most; columns side by side, as a panorama's edges are, 0.6 or more in four of five places."""


def panorama(kind: str) -> Refused:
    return Refused(
        Reject.PANORAMA, f"This is a panorama ({kind}), which no single camera can have taken. Use ordinary photos."
    )


def panorama_by_tags(image: Image.Image) -> str | None:
    """`equirectangular` or `cylindrical` by Photo Sphere XMP, which 360 degree cameras and phones' panorama modes
    write, else None."""
    found = _PROJECTION.search(xmp_of(image))
    return found.group(1).decode().lower() if found else None


_PROJECTION = re.compile(rb"GPano:ProjectionType[^a-zA-Z]{1,8}(equirectangular|cylindrical)", re.IGNORECASE)


def panorama_by_picture(grey: Image.Image) -> str | None:
    """`stitched` for a very long picture, `equirectangular` for one of 2:1 whose left and right edges meet, else
    None. grey: an upright picture of mode L."""
    ratio = max(grey.size) / min(grey.size)
    if ratio >= STITCHED_RATIO_MIN:
        return "stitched"
    if abs(grey.width / grey.height - EQUIRECTANGULAR_RATIO) > RATIO_TOLERANCE * EQUIRECTANGULAR_RATIO:
        return None
    left, right = _detail(grey, 0), _detail(grey, grey.width - 1)
    if min(left.std(), right.std()) < EDGE_DETAIL_MIN:
        return None
    meets = float(np.corrcoef(left, right)[0, 1]) >= EDGE_CORRELATION_MIN
    return "equirectangular" if meets else None


def _detail(grey: Image.Image, x: int) -> np.ndarray:
    """Column x at EDGE_ROWS rows without its slow changes of brightness: (EDGE_ROWS,) minus its mean over 17 rows."""
    strip = grey.crop((x, 0, x + 1, grey.height)).resize((1, EDGE_ROWS), Image.Resampling.BOX)
    column = np.asarray(strip, dtype=np.float64)[:, 0]
    window = 17
    padded = np.pad(column, window // 2, mode="edge")
    return column - np.convolve(padded, np.full(window, 1 / window), mode="valid")
