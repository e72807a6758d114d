"""scene.spz as another reader sees it: Niantic's layout of version 3 (github.com/nianticlabs/spz), read here anew."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from splat_worker.export.ply import write_ply
from splat_worker.export.splat_transform import convert
from tests.unit.splat_worker.export.test_sog import scene

MAGIC, VERSION = 0x5053474E, 3


@pytest.mark.parametrize("degree", [0, 3])
def test_a_reader_of_version_3_finds_every_gaussian(degree: int, tmp_path: Path) -> None:
    made = scene(500, degree)
    write_ply(tmp_path / "scene.ply", made)
    convert(tmp_path / "scene.ply", tmp_path / "scene.spz")

    data = gzip.decompress((tmp_path / "scene.spz").read_bytes())
    magic, version, count, found_degree, fraction_bits, _flags, _ = struct.unpack("<IIIBBBB", data[:16])
    assert (magic, version, count, found_degree) == (MAGIC, VERSION, 500, degree)
    coefficients = (degree + 1) ** 2 - 1
    assert len(data) == 16 + count * (9 + 1 + 3 + 3 + 4 + 3 * coefficients)

    at = 16
    whole = np.frombuffer(data, np.uint8, 9 * count, at).reshape(count, 3, 3).astype(np.int32) << [0, 8, 16]
    positions = whole.sum(axis=2)
    positions = np.where(positions >= 1 << 23, positions - (1 << 24), positions) / (1 << fraction_bits)
    alphas = np.frombuffer(data, np.uint8, count, at + 9 * count) / 255
    log_scales = np.frombuffer(data, np.uint8, 3 * count, at + 13 * count).reshape(count, 3) / 16 - 10

    order = np.argmin(((made.means[:, None] - positions[None]) ** 2).sum(-1), axis=1)
    assert sorted(order) == list(range(count))
    assert np.abs(positions[order] - made.means).max() < 0.001
    assert np.abs(alphas[order] - 1 / (1 + np.exp(-made.opacity_logits))).max() < 0.01
    assert np.abs(log_scales[order] - made.log_scales).max() < 0.05
