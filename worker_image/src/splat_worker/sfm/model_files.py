"""Whether the files of COLMAP's binary model are whole: every count in them fits the bytes that follow.
COLMAP trusts the counts, so that a damaged one makes it allocate without bound. Imports no pycolmap.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

CAMERA_BYTES_MIN = 4 + 4 + 8 + 8
IMAGE_HEAD_BYTES = 4 + 7 * 8 + 4
OBSERVATION_BYTES = 8 + 8 + 8
POINT_HEAD_BYTES = 8 + 3 * 8 + 3 + 8
TRACK_ELEMENT_BYTES = 4 + 4
ENTRY_BYTES_MIN = 4
"""The id that every rig and every frame begins with."""


class _Reader:
    def __init__(self, name: str, content: bytes) -> None:
        self._name, self._content, self._at = name, content, 0

    def skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._content):
            raise ValueError(f"{self._name} ends early")

    def count(self, each_bytes: int) -> int:
        """A count of entries that take at least `each_bytes`."""
        at = self._at
        self.skip(8)
        value: int = struct.unpack_from("<Q", self._content, at)[0]
        if value * each_bytes > len(self._content) - self._at:
            raise ValueError(f"{self._name} counts {value} entries, more than it holds")
        return value

    def text(self) -> None:
        end = self._content.find(b"\0", self._at)
        if end < 0:
            raise ValueError(f"{self._name} ends early")
        self._at = end + 1


def _images(reader: _Reader) -> None:
    for _ in range(reader.count(IMAGE_HEAD_BYTES + 1 + 8)):
        reader.skip(IMAGE_HEAD_BYTES)
        reader.text()
        reader.skip(reader.count(OBSERVATION_BYTES) * OBSERVATION_BYTES)


def _points(reader: _Reader) -> None:
    for _ in range(reader.count(POINT_HEAD_BYTES + 8)):
        reader.skip(POINT_HEAD_BYTES)
        reader.skip(reader.count(TRACK_ELEMENT_BYTES) * TRACK_ELEMENT_BYTES)


def _head_of(each_bytes: int) -> Callable[[_Reader], None]:
    def check(reader: _Reader) -> None:
        reader.count(each_bytes)

    return check


FILES: dict[str, Callable[[_Reader], None]] = {
    "cameras.bin": _head_of(CAMERA_BYTES_MIN),
    "frames.bin": _head_of(ENTRY_BYTES_MIN),
    "images.bin": _images,
    "points3D.bin": _points,
    "rigs.bin": _head_of(ENTRY_BYTES_MIN),
}


def check_model(files: Mapping[str, bytes]) -> None:
    """Raise ValueError for a file that is none of COLMAP's model, or whose counts exceed its bytes."""
    for name, content in files.items():
        if name not in FILES:
            raise ValueError(f"{name} is no file of a model")
        FILES[name](_Reader(name, content))
