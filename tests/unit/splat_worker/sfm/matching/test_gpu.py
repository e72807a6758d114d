"""Matching on a GPU: its rule against a plain loop, its database against COLMAP's matcher, and resuming.
Runs on torch's CPU device with the same operations.
"""

from __future__ import annotations

import contextlib
import sqlite3
from types import SimpleNamespace

import numpy as np
import pycolmap
import pytest
from PIL import Image

from splat_worker.progress import silent
from splat_worker.sfm.matching import gpu, match
from splat_worker.sfm.matching.gpu import MAX_DISTANCE, MAX_RATIO, mutual_matches, unit_descriptors
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.resume import copy_database


def plain(one: np.ndarray, other: np.ndarray) -> set[tuple[int, int]]:
    """The rule in its simplest form: float64 angles, one feature after the other."""
    unit = lambda d: d / np.linalg.norm(d, axis=1, keepdims=True)  # noqa: E731
    angles = np.arccos(np.clip(unit(one.astype(np.float64)) @ unit(other.astype(np.float64)).T, -1, 1))

    def nearest(row: np.ndarray) -> int:
        first, second = np.argsort(row)[:2]
        return int(first) if row[first] <= MAX_DISTANCE and row[first] < MAX_RATIO * row[second] else -1

    there = [nearest(row) for row in angles]
    back = [nearest(column) for column in angles.T]
    return {(i, j) for i, j in enumerate(there) if j >= 0 and back[j] == i}


def descriptors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.7, 25, (count, 128)).clip(0, 255).astype(np.uint8)


def noisy(of: np.ndarray, seed: int, level: float) -> np.ndarray:
    return (of + np.random.default_rng(seed).normal(0, level, of.shape)).clip(0, 255).astype(np.uint8)


def test_matches_equal_those_of_the_plain_rule():
    one = descriptors(300, 1)
    other = np.concatenate([noisy(one[:200], 2, 12), noisy(one[:40], 3, 14), descriptors(150, 4)])
    other = other[np.random.default_rng(5).permutation(len(other))]
    found = mutual_matches(unit_descriptors(one, "cpu"), unit_descriptors(other, "cpu"))
    assert {(int(i), int(j)) for i, j in found} == plain(one, other)
    assert 100 < len(found) < 300  # 40 duplicated features fail the ratio


@pytest.mark.parametrize("counts", [(0, 5), (1, 5), (5, 1), (5, 0)])
def test_a_photo_with_fewer_than_two_features_matches_nothing(counts):
    one, other = (unit_descriptors(descriptors(n, n), "cpu") for n in counts)
    assert mutual_matches(one, other).shape == (0, 2)


NAMES = [("0.png", "1.png"), ("0.png", "2.png"), ("1.png", "2.png")]


@pytest.fixture
def cuts(tmp_path):
    """Three overlapping cuts of one image in `photos`."""
    blocks = np.random.default_rng(7).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((640, 480), Image.Resampling.BICUBIC)
    (tmp_path / "photos").mkdir()
    for i in range(3):
        picture.crop((60 * i, 20 * i, 60 * i + 480, 20 * i + 400)).save(tmp_path / "photos" / f"{i}.png")
    return tmp_path


def with_features(database, cuts):
    pycolmap.set_random_seed(0)
    pycolmap.extract_features(database, cuts / "photos", device=pycolmap.Device.cpu)
    return database


def compare_all(database, cuts, on_progress=silent):
    """Compare photos like a worker with a GPU: our matches, then COLMAP's verification."""
    photos = [SimpleNamespace(path=cuts / "photos" / f"{i}.png") for i in range(3)]
    preset = SfmPreset(gpu="cpu", threads=1)
    match.match_photos(preset, photos, ((0, 1), (0, 2), (1, 2)), database, cuts, on_progress=on_progress)


def test_the_database_matches_that_of_colmaps_matcher(cuts):
    """Nearly the same matches, and every pair verified. Inliers differ between runs: COLMAP verifies with random draws
    in threads (872 and 1117 of the same matches)."""
    matches = {}
    for who in ("colmap", "ours"):
        database = with_features(cuts / f"{who}.db", cuts)
        if who == "colmap":
            pycolmap.match_exhaustive(database, device=pycolmap.Device.cpu)
        else:
            compare_all(database, cuts)
        with pycolmap.Database.open(database) as db:
            _, inliers = db.read_two_view_geometry_num_inliers()
            ids = {image.name: image.image_id for image in db.read_all_images()}  # numbered as threads finish
            matches[who] = {(a, b): {tuple(m) for m in db.read_matches(ids[a], ids[b]).tolist()} for a, b in NAMES}
        assert len(inliers) == 3
        assert min(inliers) > 100
    for pair, theirs in matches["colmap"].items():
        both = matches["ours"][pair] & theirs
        assert len(both) > 0.9 * max(len(theirs), len(matches["ours"][pair])), pair


def test_pairs_of_a_lost_worker_are_neither_matched_nor_verified_again(cuts, monkeypatch):
    monkeypatch.setattr(match, "TELL_EVERY", 1)
    progress, matched = [], []
    mutual = gpu.mutual_matches
    monkeypatch.setattr(gpu, "mutual_matches", lambda *of: matched.append(of) or mutual(*of))

    def copy_at_two(fraction, _):
        progress.append(fraction)
        if len(progress) == 2:
            copy_database(cuts / "first.db", cuts / "copy.db")

    compare_all(with_features(cuts / "first.db", cuts), cuts, copy_at_two)
    assert progress == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert len(matched) == 3
    before = geometries(cuts / "copy.db")
    assert len(before) == 2
    compare_all(cuts / "copy.db", cuts, copy_at_two)
    assert progress[3:] == [1.0]
    assert len(matched) == 4
    after = geometries(cuts / "copy.db")
    assert len(after) == 3
    assert before.items() <= after.items(), "existing rows stay byte for byte"


def geometries(database):
    """Inlier matches by pair."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        return dict(db.execute("SELECT pair_id, data FROM two_view_geometries"))
