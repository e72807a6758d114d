"""Whether a job can resume from a copy of a match database, and the ways in which a copy can be unusable.
Silent failures: a job that fails at every attempt on the same damaged copy, or pairs without matches."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pycolmap
import pytest

from splat_worker.sfm.matching.chosen import read_chosen, write_chosen
from splat_worker.sfm.matching.rounds import first_round
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.resume import Reusable, copy_database, reusable_work

PHOTOS = [SimpleNamespace(path=Path(f"{i:04d}.jpg")) for i in range(4)]
ALL_PAIRS = tuple((i, j) for i in range(4) for j in range(i + 1, 4))
FEATURES = 400


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Features of the first three photos, and the first photo compared with the other two."""
    path = tmp_path / "matches.db"
    rng = np.random.default_rng(0)
    with pycolmap.Database.open(path) as db:
        camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[700, 320, 240, 0])
        camera.camera_id = db.write_camera(camera)
        ids = []
        for photo in PHOTOS[:3]:
            ids.append(db.write_image(pycolmap.Image(name=photo.path.name, camera_id=camera.camera_id)))
            db.write_keypoints(ids[-1], rng.uniform(0, 480, (FEATURES, 2)).astype(np.float32))
            rows = rng.integers(0, 256, (FEATURES, 128), dtype=np.uint8)
            db.write_descriptors(ids[-1], pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, rows))
        for other in ids[1:]:
            db.write_matches(ids[0], other, np.zeros((20, 2), np.uint32))
            db.write_two_view_geometry(ids[0], other, pycolmap.TwoViewGeometry())
    return path


def choose(path: Path, pairs: tuple[tuple[int, int], ...]) -> Path:
    write_chosen(path, [photo.path.name for photo in PHOTOS], [pairs])
    return path


def test_everything_in_a_copy_is_reusable(database: Path, tmp_path: Path) -> None:
    copy_database(choose(database, ALL_PAIRS), tmp_path / "copy.db")
    assert reusable_work(tmp_path / "copy.db", PHOTOS) == Reusable(photos=3, pairs=2)
    assert read_chosen(tmp_path / "copy.db", [photo.path.name for photo in PHOTOS]) == (ALL_PAIRS,)


def test_before_pairs_are_chosen_every_photo_needs_its_descriptors(database: Path, tmp_path: Path) -> None:
    """Silent: photos without descriptors are like no other, so that too few pairs would be chosen."""
    copy_database(database, tmp_path / "whole.db")
    copy_database(database, tmp_path / "copy.db", descriptors=False)
    assert reusable_work(tmp_path / "whole.db", PHOTOS) == Reusable(photos=3, pairs=0)
    assert reusable_work(tmp_path / "copy.db", PHOTOS) is None


def test_a_copy_without_descriptors_is_under_half_as_large_and_usable_only_if_all_pairs_are_compared(
    database: Path, tmp_path: Path
) -> None:
    copy_database(choose(database, ((0, 1), (0, 2))), tmp_path / "whole.db")
    copy_database(database, tmp_path / "copy.db", descriptors=False)
    assert (tmp_path / "copy.db").stat().st_size < (tmp_path / "whole.db").stat().st_size / 2
    assert reusable_work(tmp_path / "copy.db", PHOTOS[:3]) == Reusable(photos=3, pairs=2)
    assert reusable_work(choose(tmp_path / "copy.db", ALL_PAIRS), PHOTOS) is None
    with pycolmap.Database.open(tmp_path / "copy.db") as db:
        assert (db.num_images(), db.num_keypoints(), db.num_descriptors()) == (3, 3 * FEATURES, 0)
        assert db.num_verified_image_pairs() == 2


def of_other_photos(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE images SET name = 'stranger.jpg' WHERE image_id = 2")
        db.commit()


def with_a_damaged_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xaa" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        of_other_photos,
        with_a_damaged_page,
        lambda path: path.write_bytes(path.read_bytes()[:20000]),
        lambda path: path.write_bytes(b"no database" * 500),
        lambda path: path.write_bytes(b""),
    ],
    ids=["other photos", "a damaged page", "truncated", "no database", "empty"],
)
def test_a_damaged_copy_or_a_copy_of_other_photos_is_unusable(harm: Callable[[Path], None], database: Path) -> None:
    harm(choose(database, ALL_PAIRS))
    assert reusable_work(database, PHOTOS) is None


@pytest.mark.parametrize("module", ["sfm.cameras", "job.child", "sfm.resume"])
def test_zlib_works_with_pycolmap_whichever_module_loads_first(module: str) -> None:
    """If pycolmap loads before zlib, the process ends with "free(): invalid pointer"."""
    code = f"""
import splat_worker.{module}
import pycolmap, os, zlib
for level in (1, 6, 9):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(os.urandom(1 << 16)) for _ in range(64)) + packer.flush()
    zlib.decompress(packed, -15)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4] / "worker_image" / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pairs_are_chosen_once_even_where_the_features_that_chose_them_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent: without descriptors no photo is like another, so that a resumed search would compare other pairs."""
    monkeypatch.setattr("splat_worker.sfm.matching.pairs.EXHAUSTIVE_MAX", 50)
    path, rng = tmp_path / "matches.db", np.random.default_rng(7)
    photos = [SimpleNamespace(path=Path(f"{i:04d}.jpg"), position=None, clip=None) for i in range(60)]
    place = rng.integers(0, 90, (100, 128), dtype=np.uint8)
    with pycolmap.Database.open(path) as db:
        camera_id = db.write_camera(
            pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[700, 320, 240, 0])
        )
        for number, photo in enumerate(photos):
            image_id = db.write_image(pycolmap.Image(name=photo.path.name, camera_id=camera_id))
            db.write_keypoints(image_id, np.full((100, 6), 2.0, np.float32))
            rows = place if number in {5, 50} else rng.integers(0, 90, (100, 128), dtype=np.uint8)
            db.write_descriptors(image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, rows))
    ways, pairs = first_round(SfmPreset(), photos, path)
    assert ways == ("sequential", "retrieval")
    assert (5, 50) in pairs
    assert len(pairs) < 60 * 59 // 2
    copy_database(path, tmp_path / "copy.db", descriptors=False)
    assert first_round(SfmPreset(), photos, tmp_path / "copy.db") == (ways, pairs)


@pytest.mark.parametrize(
    "row",
    [
        ("0000.jpg", "0001.jpg", 1 << 40),
        ("0000.jpg", "0001.jpg", -1),
        ("0000.jpg", "0001.jpg", "soon"),
        ("0000.jpg", "0001.jpg", None),
        ("0000.jpg", "0000.jpg", 0),
        (None, "0001.jpg", 0),
        (b"\xff", "0001.jpg", 0),
    ],
    ids=str,
)
def test_a_damaged_table_of_pairs_is_as_if_none_were_chosen(row: tuple[object, ...], database: Path) -> None:
    choose(database, ALL_PAIRS)
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute("INSERT INTO chosen_pairs VALUES (?, ?, ?)", row)
    assert read_chosen(database, [photo.path.name for photo in PHOTOS]) is None
