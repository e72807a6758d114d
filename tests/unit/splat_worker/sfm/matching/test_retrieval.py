"""How alike photos are by their largest features.
Silent failures: a likeness that depends on threads, small features taken for large ones, photos without features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from splat_worker.sfm.matching.gpu import mutual_matches, unit_descriptors
from splat_worker.sfm.matching.retrieval import alike, features_per_photo, likeness

SIDE = 512.0


def descriptors(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 128) uint8 of length 512, as COLMAP writes them."""
    rows = rng.gamma(0.5, size=(count, 128))
    return np.round(SIDE * rows / np.linalg.norm(rows, axis=1, keepdims=True)).clip(0, 255).astype(np.uint8)


def noisy(rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    moved = np.maximum(rows + rng.normal(0, 6, rows.shape), 0)
    return np.round(SIDE * moved / np.linalg.norm(moved, axis=1, keepdims=True)).clip(0, 255).astype(np.uint8)


def write(path: Path, photos: list[tuple[np.ndarray, np.ndarray]], *, columns: int = 6) -> list[str]:
    """A database of photos, each with descriptors (N, 128) and scales (N,). columns: 6 as COLMAP's extractor writes
    keypoints, 4 as ours on the GPU does."""
    names = []
    with pycolmap.Database.open(path) as db:
        camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[700, 320, 240, 0])
        camera_id = db.write_camera(camera)
        for number, (rows, scales) in enumerate(photos):
            names.append(f"{number:04d}.jpg")
            image_id = db.write_image(pycolmap.Image(name=names[-1], camera_id=camera_id))
            shape = np.zeros((len(rows), columns), np.float32)
            shape[:, 2] = scales
            if columns == 6:
                shape[:, 5] = scales
            db.write_keypoints(image_id, shape)
            db.write_descriptors(image_id, pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, rows))
    return names


def test_photos_of_one_place_are_alike_by_as_many_features_as_they_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    place, other = descriptors(rng, 120), descriptors(rng, 120)
    scales = np.linspace(9, 2, 120)
    shared = np.concatenate([noisy(rng, place[:90]), descriptors(rng, 30)])
    names = write(tmp_path / "m.db", [(place, scales), (shared, scales), (other, scales)])
    found = likeness(tmp_path / "m.db", names)
    assert np.array_equal(found, found.T)
    assert found[0, 1] == pytest.approx(90, abs=5)
    assert found[0, 2] <= 2
    assert found[1, 2] <= 2


@pytest.mark.parametrize("columns", [4, 6])
def test_only_the_largest_features_count(tmp_path: Path, columns: int) -> None:
    """Silent: the first features of a photo are not the largest in a database of COLMAP."""
    rng = np.random.default_rng(2)
    large, small = descriptors(rng, 200), descriptors(rng, 400)
    scales = np.concatenate([np.full(400, 1.5), np.full(200, 8.0)])
    photos = [(np.concatenate([small, large]), scales), (np.concatenate([descriptors(rng, 400), large]), scales)]
    names = write(tmp_path / "m.db", photos, columns=columns)
    assert likeness(tmp_path / "m.db", names)[0, 1] == pytest.approx(200, abs=5)


def test_the_rule_is_that_of_the_matchers() -> None:
    rng = np.random.default_rng(3)
    one = descriptors(rng, 100)
    other = np.concatenate([noisy(rng, one[:60]), descriptors(rng, 40)])
    whole = len(mutual_matches(unit_descriptors(one, "cpu"), unit_descriptors(other, "cpu")))
    assert alike(np.stack([one, other]).astype(np.float32))[0, 1] == pytest.approx(whole, abs=3)


def test_a_photo_without_features_is_like_no_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = descriptors(rng, 90)
    scales = np.full(90, 3.0)
    names = write(tmp_path / "m.db", [(rows, scales), (rows[:0], scales[:0]), (rows, scales), (rows[:1], scales[:1])])
    found = likeness(tmp_path / "m.db", names)
    assert found[0, 2] == 90
    assert not found[1].any()


@pytest.mark.parametrize(("photos", "features"), [(1, 200), (300, 200), (600, 100), (1000, 80)])
def test_larger_sets_compare_fewer_features_per_photo(photos: int, features: int) -> None:
    assert features_per_photo(photos) == features
