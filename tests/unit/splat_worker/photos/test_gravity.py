"""Gravity from the tags of phones and drones, in the axes of the upright photo.
Silent failure: a sign or an axis that is wrong, so that exactly the photos with good tags end up on their side."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import IFD, Base

from splat_worker.photos.exif import read_exif
from splat_worker.photos.gravity import down_of

RATIONAL_ONE = 1_000_000
MAKER_NOTE = 0x927C


def iphone_note(x: float, y: float, z: float, *, tag: int = 0x0008) -> bytes:
    """Apple's maker note with another tag before the acceleration, laid out as iPhones write it."""
    head = b"Apple iOS\x00\x00\x01MM"
    entries = struct.pack(">H", 2) + struct.pack(">HHLl", 1, 9, 1, 14)
    offset = len(head) + 2 + 2 * 12 + 4
    entries += struct.pack(">HHLL", tag, 10, 3, offset) + struct.pack(">L", 0)
    parts = [part for value in (x, y, z) for part in (round(value * RATIONAL_ONE), RATIONAL_ONE)]
    return head + entries + struct.pack(">6l", *parts)


def iphone_exif(x: float, y: float, z: float, *, orientation: int = 1, lens: str = "") -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation] = "Apple", orientation
    details = exif.get_ifd(IFD.Exif)
    details[MAKER_NOTE] = iphone_note(x, y, z)
    if lens:
        details[Base.LensModel] = lens
    return exif


def opened(kind: str = "JPEG", **save: object) -> Image.Image:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 120, 60)).save(file, kind, **save)
    file.seek(0)
    return Image.open(file)


@pytest.mark.parametrize(
    ("held", "acceleration", "orientation", "expected"),
    [
        ("upright", (0, -1, 0), 6, (0, 1, 0)),
        ("tilted down by 44 degrees as in ExifTool's example", (0.0268, -0.721, -0.6949), 6, (0.027, 0.72, 0.69)),
        ("on its left side", (-1, 0, 0), 1, (0, 1, 0)),
        ("on its right side", (1, 0, 0), 3, (0, 1, 0)),
        ("upside down", (0, 1, 0), 8, (0, 1, 0)),
        ("flat on a table, looking down", (0, 0, -1), 1, (0, 0, 1)),
        ("upright, leaning to its right by 30 degrees", (0.5, -0.866, 0), 6, (0.5, 0.866, 0)),
    ],
)  # fmt: skip
def test_an_iphones_accelerometer_gives_down_in_the_upright_photo(
    held: str, acceleration: tuple[float, ...], orientation: int, expected: tuple[float, ...]
) -> None:
    tags = read_exif(opened(exif=iphone_exif(*acceleration, orientation=orientation)))
    assert tags.down == pytest.approx(expected, abs=0.02), held


def test_a_heic_photo_of_an_iphone_gives_the_same_although_its_decoder_turns_it() -> None:
    file = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.new("RGB", (80, 60), (90, 120, 60)))
    heif.save(file, exif=iphone_exif(0, -1, 0, orientation=6).tobytes())
    file.seek(0)
    assert read_exif(Image.open(file)).down == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_down_turns_with_the_picture_for_every_orientation(orientation: int) -> None:
    """A mark at the place that gravity points to in the stored picture is there in the upright one too."""
    x, y, z = -0.6, -0.8, 0.0  # in the stored picture: right 0.8, down 0.6
    stored = np.zeros((101, 101), np.uint8)
    stored[50 + 30, 50 + 40] = 255
    picture = Image.fromarray(stored)
    picture.getexif()[Base.Orientation] = orientation
    row, column = np.argwhere(np.asarray(ImageOps.exif_transpose(picture)))[0]
    found = down_of(opened(exif=iphone_exif(x, y, z)), orientation)
    assert found == pytest.approx(((column - 50) / 50, (row - 50) / 50, 0))


def xmp(pitch: str, roll: str, *, prefix: str = "drone-dji:Gimbal", element: bool = False) -> bytes:
    if element:
        body = f"><{prefix}PitchDegree>{pitch}</{prefix}PitchDegree><{prefix}RollDegree>{roll}</{prefix}RollDegree>"
        return f"<x:xmpmeta><rdf:Description {body}</rdf:Description></x:xmpmeta>".encode()
    flight = 'drone-dji:FlightPitchDegree="+3.10" drone-dji:FlightRollDegree="-8.80"'
    return f'<rdf:Description {flight} {prefix}RollDegree="{roll}" {prefix}PitchDegree="{pitch}"/>'.encode()


@pytest.mark.parametrize("element", [False, True])
@pytest.mark.parametrize("prefix", ["drone-dji:Gimbal", "drone-parrot:Camera"])
@pytest.mark.parametrize(
    ("pitch", "roll", "expected"),
    [
        ("-90.00", "+0.00", (0, 0, 1)),
        ("+0.00", "+0.00", (0, 1, 0)),
        ("-30.00", "+0.00", (0, math.cos(math.radians(30)), 0.5)),
        ("+20.00", "0", (0, math.cos(math.radians(20)), -math.sin(math.radians(20)))),
        ("+0.00", "+10.00", (math.sin(math.radians(10)), math.cos(math.radians(10)), 0)),
    ],
)
def test_a_drones_gimbal_gives_down(
    pitch: str, roll: str, expected: tuple[float, ...], prefix: str, element: bool
) -> None:
    assert read_exif(opened(xmp=xmp(pitch, roll, prefix=prefix, element=element))).down == pytest.approx(expected)


def test_a_moving_phone_and_a_front_camera_give_nothing() -> None:
    assert read_exif(opened(exif=iphone_exif(0, -1.4, 0))).down is None
    assert read_exif(opened(exif=iphone_exif(0, -0.5, 0))).down is None
    assert read_exif(opened(exif=iphone_exif(0, -1, 0, lens="iPhone 13 front camera 2.71mm f/2.2"))).down is None
    assert read_exif(opened(exif=iphone_exif(0, -1, 0, lens="iPhone 13 back camera 5.1mm f/1.6"))).down is not None


def test_malformed_tags_give_nothing_and_never_raise() -> None:
    whole = iphone_note(0, -1, 0)
    for note in (
        *(whole[:length] for length in range(len(whole) - 8)),
        iphone_note(0, -1, 0, tag=9),
        whole[:14] + b"\xff" * 60,
    ):
        exif = Image.Exif()
        exif.get_ifd(IFD.Exif)[MAKER_NOTE] = note
        assert read_exif(opened(exif=exif)).down is None
    for pitch in ("", "NaN", "900", "down", "--3"):
        assert read_exif(opened(xmp=xmp(pitch, "0"))).down is None
