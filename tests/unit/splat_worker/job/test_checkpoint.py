"""Checkpoints are complete, fit only their own job, and never crash on damage."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from splat_worker.archive import read_part
from splat_worker.contract.job_report import Rejected
from splat_worker.job.checkpoint import VERSION, Checkpoint, fingerprint
from splat_worker.sfm.resume import PartialModel
from splat_worker.sfm.sparse import SparseCamera, SparseModel

SPARSE = SparseModel(
    cameras=(
        SparseCamera(
            name="a.jpg", world_to_camera=np.eye(4), width=10, height=8, focal_px=9.5, cx=5, cy=4, k1=-0.02, seen=3
        ),
    ),
    points=np.ones((2, 3), np.float32),
    colours=np.full((2, 3), 7, np.uint8),
    tracks=np.array([2, 3], np.int32),
    reprojection_error_px=0.4,
    rung="relaxed",
    matching="exhaustive",
    tried={"default": 0, "relaxed": 1},
    rejected=(Rejected(name="b.jpg", code="NO_PARTNER", reason="r."),),
)


def test_a_checkpoint_reads_back_complete_and_only_for_its_own_job(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    Checkpoint(fingerprint="f", sparse=SPARSE, train=b"state").write(path)
    back = Checkpoint.read(path, "f")
    assert back is not None
    assert back.train == b"state"
    assert back.sparse.cameras[0].k1 == SPARSE.cameras[0].k1
    assert back.sparse.rejected == SPARSE.rejected
    assert np.array_equal(back.sparse.points, SPARSE.points)
    assert Checkpoint.read(path, "another") is None


def test_a_huge_manifest_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"version": VERSION, "fingerprint": "f", "more": [0] * 5_000_000}))
    tracemalloc.start()
    try:
        assert Checkpoint.read(path, "f") is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_checkpoint_of_the_search_for_cameras_holds_its_database_and_no_training(tmp_path: Path) -> None:
    (tmp_path / "matches.copy.db").write_bytes(b"rows" * 1000)
    Checkpoint(fingerprint="f", matches=tmp_path / "matches.copy.db").write(tmp_path / "c.zip")
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "c.zip").rename(there / "c.zip")
    back = Checkpoint.read(there / "c.zip", "f")
    assert back is not None
    assert (back.sparse, back.train) == (None, None)
    assert back.matches == there / "matches.db"
    assert back.matches.read_bytes() == b"rows" * 1000


def test_only_a_database_without_descriptors_is_compressed(tmp_path: Path) -> None:
    """Descriptors compress badly: a fifth for one second of a core in every ten."""
    rows = b"rows" * 1000
    sizes = []
    for complete in (False, True):
        (tmp_path / "copy.db").write_bytes(rows)
        Checkpoint(fingerprint="f", matches=tmp_path / "copy.db", complete=complete).write(tmp_path / "c.zip")
        sizes.append((tmp_path / "c.zip").stat().st_size)
        back = Checkpoint.read(tmp_path / "c.zip", "f")
        assert back is not None
        assert back.matches is not None
        assert back.matches.read_bytes() == rows
    assert sizes[0] > len(rows)
    assert sizes[1] < len(rows) / 2


def test_a_partial_model_reads_back_with_its_database(tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"rows")
    partial = PartialModel(rung="relaxed", files={"cameras.bin": bytes(8), "points3D.bin": bytes(1000)})
    Checkpoint(fingerprint="f", matches=tmp_path / "copy.db", complete=True, partial=partial).write(tmp_path / "c.zip")
    back = Checkpoint.read(tmp_path / "c.zip", "f")
    assert back is not None
    assert back.partial == partial


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 0.999), flip=st.floats(0, 0.999))
@example(cut=0.0, flip=0.060546875)  # a part's length: zipfile raises EOFError
def test_a_damaged_checkpoint_is_ignored_and_never_crashes(
    cut: float, flip: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.zip"
    Checkpoint(fingerprint="f", sparse=SPARSE, train=b"state" * 50).write(path)
    whole = path.read_bytes()
    content = bytearray(whole[: int(cut * len(whole))])
    path.write_bytes(content)
    assert Checkpoint.read(path, "f") is None
    damaged = bytearray(whole)
    damaged[int(flip * len(whole))] ^= 0xFF
    path.write_bytes(damaged)
    back = Checkpoint.read(path, "f")
    assert back is None or back.train is None or back.train == b"state" * 50


MANIFEST = json.dumps({"version": VERSION, "fingerprint": "f"})
BOMB = bytes(64 << 20)


def bombs() -> dict[str, dict[str, tuple[bytes, int]]]:
    """Parts (content, compression) of archives that are short and unpack to 64 MiB or count without end."""
    inner = io.BytesIO()
    np.savez_compressed(inner, meta=np.frombuffer(BOMB, np.uint8))
    endless = struct.pack("<Q", 1) + bytes(64) + b"1.jpg\0" + struct.pack("<Q", 1 << 40)
    return {
        "a deflated manifest": {"manifest.json": (BOMB, zipfile.ZIP_DEFLATED)},
        "a deflated training state": {"train.bin": (BOMB, zipfile.ZIP_DEFLATED)},
        "a part in LZMA": {"matches.db": (BOMB, zipfile.ZIP_LZMA)},
        "a part in bzip2": {"matches.db": (BOMB, zipfile.ZIP_BZIP2)},
        "an inner archive": {"sparse.npz": (inner.getvalue(), zipfile.ZIP_STORED)},
        "a model that counts more than it holds": {
            "matches.db": (b"rows", zipfile.ZIP_STORED),
            "partial/relaxed/images.bin": (endless, zipfile.ZIP_STORED),
        },
        "a file beside the model": {
            "matches.db": (b"rows", zipfile.ZIP_STORED),
            "partial/relaxed/other.bin": (b"", zipfile.ZIP_STORED),
        },
    }


@pytest.mark.parametrize("name", bombs())
def test_a_checkpoint_that_unpacks_without_bound_is_ignored(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splat_worker.sfm.sparse.ARRAYS_BYTES_MAX", 32 << 20)
    parts = {"manifest.json": (MANIFEST.encode(), zipfile.ZIP_STORED), **bombs()[name]}
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for part, (content, compression) in parts.items():
            archive.writestr(part, content, compress_type=compression)
    assert (tmp_path / "c.zip").stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        assert Checkpoint.read(tmp_path / "c.zip", "f") is None
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_part_whose_header_understates_it_is_not_unpacked_beyond_that(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", MANIFEST)
        archive.writestr("matches.db", BOMB, compress_type=zipfile.ZIP_DEFLATED)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(struct.pack("<I", len(BOMB)), struct.pack("<I", 10)))
    tracemalloc.start()
    try:
        with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
            read_part(archive, "matches.db")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_the_fingerprint_depends_on_content_order_and_settings() -> None:
    base = fingerprint([("a", "1"), ("b", "2")], {"preset": "preview"})
    assert base == fingerprint([("a", "1"), ("b", "2")], {"preset": "preview"})
    assert base != fingerprint([("a", "1"), ("b", "3")], {"preset": "preview"})
    assert base != fingerprint([("a", "1"), ("b", "2")], {"preset": "high"})
