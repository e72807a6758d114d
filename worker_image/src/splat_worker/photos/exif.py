"""Reads the tags that help to find a photo's camera: focal length, camera, orientation, position, gravity.
Never raises on malformed tags. The position stays inside the worker: it decides which photos to compare, and helps to
find which way is up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from splat_worker.photos.gravity import down_of

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""FocalPlaneResolutionUnit: 2 inch, 3 cm (Exif 2.32, 4.6.5); some cameras write 4 for mm and 5 for micrometres."""
BRIGHTNESS_LIMIT = 30.0  # APEX; sunlight is about 10, and some cameras write a huge number for unknown
FOCAL_MIN_OF_SIDE, FOCAL_MAX_OF_SIDE = 0.2, 10.0


@dataclass(frozen=True, kw_only=True)
class Exif:
    """Tags of one photo. focal_35_mm: full-frame equivalent; pixels_per_mm: on the sensor, at sensor_width px;
    down: unit vector of gravity in the axes of the upright photo (x right, y down, z forward); exposure: log2 of
    seconds times ISO over the squared f-number, so that one more is a photo twice as bright."""

    make: str = ""
    model: str = ""
    orientation: int = 1
    focal_mm: float | None = None
    focal_35_mm: float | None = None
    pixels_per_mm: float | None = None
    sensor_width: float | None = None
    position: tuple[float, float, float] | None = field(default=None, repr=False)
    down: tuple[float, float, float] | None = None
    exposure: float | None = None

    @property
    def swaps_sides(self) -> bool:
        return self.orientation in (5, 6, 7, 8)

    @property
    def camera_key(self) -> str:
        """Equal for photos with the same camera and lens setting. The caller adds the size."""
        return f"{self.make}|{self.model}|{self.focal_mm}|{self.focal_35_mm}"

    def focal_px(self, width: int, height: int) -> float | None:
        """Focal length at (width, height) px, or None if the tags lack it or are implausible."""
        longer = max(width, height)
        if self.focal_35_mm:
            focal_px = self.focal_35_mm / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
        elif self.focal_mm and self.pixels_per_mm and self.sensor_width:
            focal_px = self.focal_mm * self.pixels_per_mm * longer / self.sensor_width
        else:
            return None
        plausible = FOCAL_MIN_OF_SIDE * longer <= focal_px <= FOCAL_MAX_OF_SIDE * longer
        return focal_px if plausible else None


def read_exif(image: Image.Image) -> Exif:
    """Tags of an opened image. Missing and malformed tags keep their defaults."""
    try:
        tags = image.getexif()
        details = tags.get_ifd(IFD.Exif)
        gps = tags.get_ifd(IFD.GPSInfo)
    except Exception:  # the parser raises struct, value, key and syntax errors on malformed tags
        return Exif()
    unit_mm = MM_PER_UNIT.get(_whole(details.get(Base.FocalPlaneResolutionUnit)) or 2, 25.4)
    per_unit = _number(details.get(Base.FocalPlaneXResolution))
    orientation = _whole(tags.get(Base.Orientation)) or 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    return Exif(
        make=_text(tags.get(Base.Make)),
        model=_text(tags.get(Base.Model)),
        orientation=orientation,
        focal_mm=_number(details.get(Base.FocalLength)),
        focal_35_mm=_number(details.get(Base.FocalLengthIn35mmFilm)),
        pixels_per_mm=per_unit / unit_mm if per_unit else None,
        sensor_width=_number(details.get(Base.ExifImageWidth)),
        position=_position(gps),
        down=down_of(
            image,
            image.info.get("original_orientation")
            or orientation,  # the HEIC decoder turns the photo and resets the tag
            lens=_text(details.get(Base.LensModel)),
        ),
        exposure=_exposure(details),
    )


def _exposure(details: dict[int, Any]) -> float | None:
    """From time, f-number and ISO, else from the brightness that the camera measured: Exif 2.32, annex C (APEX), where
    time and aperture values sum to brightness plus log2(ISO / 3.125)."""
    seconds, f_number = _number(details.get(Base.ExposureTime)), _number(details.get(Base.FNumber))
    given = details.get(Base.ISOSpeedRatings)
    iso = _number(given[0] if isinstance(given, tuple) and given else given)
    if seconds and f_number and iso:
        return math.log2(seconds * iso / f_number**2)
    try:
        brightness = float(details[Base.BrightnessValue])
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return math.log2(3.125) - brightness if abs(brightness) < BRIGHTNESS_LIMIT else None


def _position(gps: dict[int, Any]) -> tuple[float, float, float] | None:
    """(latitude deg, longitude deg, altitude m); None if an angle is missing, or for 0, 0."""
    latitude = _degrees(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    return latitude, longitude, _number(gps.get(GPS.GPSAltitude)) or 0.0


def _degrees(parts: Any, ref: Any, negative: str, limit: float) -> float | None:
    try:
        d, m, s = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = d + m / 60 + s / 3600
    if not math.isfinite(value) or not 0 <= value <= limit:
        return None
    return -value if str(ref).strip("\x00 ").upper() == negative else value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _text(value: Any) -> str:
    return str(value).strip("\x00 ")[:64] if isinstance(value, str) else ""
