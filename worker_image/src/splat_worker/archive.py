"""Reads zip and npz archives that come from a bucket: nothing is unpacked before its size is known to fit.
Raises ValueError where it does not. Knows nothing about what the parts mean.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_parts(archive: zipfile.ZipFile, *, bytes_max: int, deflated: Container[str] = ()) -> None:
    """All parts together unpack to at most `bytes_max`, and only those in `deflated` are compressed.

    zipfile unpacks bzip2 and LZMA without a bound, so that no part may use them."""
    size = 0
    for part in archive.infolist():
        if part.compress_type != zipfile.ZIP_STORED and not (
            part.compress_type == zipfile.ZIP_DEFLATED and part.filename in deflated
        ):
            raise ValueError(f"{part.filename!r} is compressed")
        size += part.file_size
    if size > bytes_max:
        raise ValueError(f"the parts have {size} bytes, more than {bytes_max}")


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """One part. Unpacks no more than the size that `check_parts` counted; `ZipFile.read` would first unpack all."""
    with archive.open(name) as part:
        return part.read(archive.getinfo(name).file_size)


def read_arrays(data: bytes, *, bytes_max: int, deflated: Container[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays of an npz by name, without pickles. `numpy.load` would unpack a part that is no array as a whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_parts(archive, bytes_max=bytes_max, deflated=deflated)
            return {name.removesuffix(".npy"): _read_array(archive, name) for name in archive.namelist()}
    except (MemoryError, OverflowError) as error:
        raise ValueError("an array is larger than the memory") from error


def _read_array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as part:
        array: NDArray[Any] = np.lib.format.read_array(part, allow_pickle=False)
        return array
