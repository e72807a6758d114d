"""The exposure in a photo's tags, log2 of seconds times ISO over the squared f-number."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

from splat_worker.photos.exif import read_exif

SUNNY_16 = {Base.ExposureTime: IFDRational(1, 128), Base.FNumber: 16.0, Base.ISOSpeedRatings: 128}
"""2^-7 s, ISO 2^7, f/2^4: -8."""


def exposure_of(tags):
    """Through a written and reopened JPEG."""
    exif = Image.Exif()
    exif.get_ifd(IFD.Exif).update({int(tag): value for tag, value in tags.items()})
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    buffer.seek(0)
    with Image.open(buffer) as image:
        return read_exif(image).exposure


@pytest.mark.parametrize(
    ("tags", "want"),
    [
        pytest.param(SUNNY_16, -8.0, id="time, f-number and ISO"),
        pytest.param({**SUNNY_16, Base.ISOSpeedRatings: (128, 0)}, -8.0, id="two values for ISO"),
        pytest.param({Base.BrightnessValue: IFDRational(9)}, -7.36, id="only the measured brightness"),
        pytest.param({**SUNNY_16, Base.BrightnessValue: IFDRational(3)}, -8.0, id="the settings before the brightness"),
        pytest.param({Base.ExposureTime: IFDRational(1, 128), Base.ISOSpeedRatings: 128}, None, id="no f-number"),
        pytest.param({**SUNNY_16, Base.ExposureTime: IFDRational(1, 0)}, None, id="no time"),
        pytest.param({**SUNNY_16, Base.FNumber: IFDRational(0)}, None, id="f-number 0, a lens without contacts"),
        pytest.param({Base.BrightnessValue: IFDRational(-1, 1)}, 2.64, id="a dark room has negative brightness"),
        pytest.param({Base.BrightnessValue: IFDRational(0xFFFFFFFF, 1)}, None, id="brightness unknown"),
        pytest.param({}, None, id="no tags"),
    ],
)
def test_exposure(tags, want):
    assert exposure_of(tags) == (want if want is None else pytest.approx(want, abs=0.01))
