"""Which way is down in a photo, from tags: the accelerometer of an iPhone, or the gimbal of a drone.
Never raises on malformed tags. Pure except for reading the opened image's tag blocks."""

from __future__ import annotations

import math
import re
import struct

from PIL import Image

Vector = tuple[float, float, float]

ACCELERATION_TAG = 0x0008
SIGNED_RATIONAL = 10
STILL_MIN_G, STILL_MAX_G = 0.9, 1.1
"""Length of the vector of a phone that is held still; otherwise it measures the movement too."""


def down_of(image: Image.Image, orientation: int, *, lens: str = "") -> Vector | None:
    """Unit vector of gravity in the axes of the upright photo (x right, y down, z forward); None if no tag has it.

    orientation: the Exif tag, 1 to 8. lens: the Exif lens model; the phone's front camera looks the other way.
    """
    blob = image.info.get("exif")
    phone = None if "front" in lens.lower() else _of_iphone(blob if isinstance(blob, bytes) else b"")
    stored = phone or _of_gimbal(xmp_of(image))
    return None if stored is None else _upright(stored, orientation)


def xmp_of(image: Image.Image) -> bytes:
    """The XMP packet, empty if there is none."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return packet.encode(errors="replace") if isinstance(packet, str) else bytes(packet)


def _of_iphone(exif: bytes) -> Vector | None:
    """From Apple's maker note: big-endian, offsets from its own start, three signed rationals in g.

    They are gravity in the axes of the phone seen from its screen (right, up, towards the user), as Core Motion gives
    them: (0, -1, 0) if it stands upright (ExifTool's Apple tags, 2026-11-30). The back camera's picture with
    orientation 1 is taken with the phone's right side up.
    """
    start = exif.find(b"Apple iOS\x00\x00\x01MM")
    if start < 0:
        return None
    note = exif[start:]
    try:
        (count,) = struct.unpack_from(">H", note, 14)
        for at in range(16, 16 + 12 * min(count, 200), 12):
            tag, kind, length, offset = struct.unpack_from(">HHLL", note, at)
            if tag == ACCELERATION_TAG and kind == SIGNED_RATIONAL and length == 3:
                parts = struct.unpack_from(">6l", note, offset)
                x, y, z = (parts[i] / parts[i + 1] for i in (0, 2, 4))
                return _unit((-y, -x, -z), STILL_MIN_G, STILL_MAX_G)
    except (struct.error, ZeroDivisionError):
        return None
    return None


def _of_gimbal(xmp: bytes) -> Vector | None:
    """From a drone's XMP (DJI's and others' GimbalPitchDegree, Parrot's CameraPitchDegree): pitch -90 looks straight
    down, a positive roll leans to the right."""
    pitch, roll = _angle(_PITCH, xmp), _angle(_ROLL, xmp)
    if pitch is None:
        return None
    p, r = math.radians(pitch), math.radians(roll or 0.0)
    return _unit((math.sin(r) * math.cos(p), math.cos(r) * math.cos(p), -math.sin(p)), 0.99, 1.01)


_NUMBER = rb"[^-+0-9a-zA-Z]{1,4}([-+]?[0-9]{1,3}(?:\.[0-9]{1,6})?)"
_PITCH = re.compile(rb":(?:Gimbal|Camera)PitchDegree" + _NUMBER)
_ROLL = re.compile(rb":(?:Gimbal|Camera)RollDegree" + _NUMBER)


def _angle(pattern: re.Pattern[bytes], xmp: bytes) -> float | None:
    found = pattern.search(xmp)
    value = float(found.group(1)) if found else None
    return value if value is not None and abs(value) <= 180 else None


def _unit(vector: Vector, shortest: float, longest: float) -> Vector | None:
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z)
    return (x / length, y / length, z / length) if shortest <= length <= longest else None


def _upright(stored: Vector, orientation: int) -> Vector:
    """From the axes of the stored picture to those of the upright one, as ImageOps.exif_transpose turns it."""
    x, y, z = stored
    turned = {
        2: (-x, y), 3: (-x, -y), 4: (x, -y), 5: (y, x), 6: (-y, x), 7: (-y, -x), 8: (y, -x),
    }.get(orientation, (x, y))  # fmt: skip
    return (*turned, z)
