"""Rounds of comparing: which pairs each adds, when progress reaches 1, and what a resumed search repeats.
Silent failures: a database reported complete, whose descriptors are dropped, before the last round; other pairs after a
resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching import rounds
from splat_worker.sfm.matching.pairs import Pairs
from splat_worker.sfm.matching.rounds import compare_photos
from splat_worker.sfm.preset import SfmPreset

COUNT = 40
TRUE_REACH = 20
"""Photos up to this far apart overlap."""


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return [
        Photo(
            name=f"{i}.jpg", path=tmp_path / f"{i:04d}.jpg", width=640, height=480, sharpness=1.0, camera_key="one",
            focal_px=700.0,
        )
        for i in range(COUNT)
    ]  # fmt: skip


@pytest.fixture
def database(tmp_path: Path, photos: list[Photo]) -> Path:
    path = tmp_path / "matches.db"
    with pycolmap.Database.open(path) as db:
        camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=640, height=480, params=[700, 320, 240, 0])
        camera_id = db.write_camera(camera)
        for photo in photos:
            db.write_image(pycolmap.Image(name=photo.path.name, camera_id=camera_id))
    return path


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> list[Pairs]:
    """The pairs of each round. In place of the matcher, photos near each other get 60 verified matches."""
    calls: list[Pairs] = []

    def match(_preset, _photos, pairs: Pairs, database: Path, _work, *, on_progress) -> None:  # type: ignore[no-untyped-def]
        calls.append(pairs)
        with pycolmap.Database.open(database) as db:
            for number, (i, j) in enumerate(pairs):
                if not db.exists_two_view_geometry(i + 1, j + 1):
                    geometry = pycolmap.TwoViewGeometry()
                    if j - i <= TRUE_REACH:
                        geometry.inlier_matches = np.zeros((60, 2), np.uint32)
                    db.write_two_view_geometry(i + 1, j + 1, geometry)
                on_progress((number + 1) / len(pairs), "comparing")

    monkeypatch.setattr(rounds, "match_photos", match)
    monkeypatch.setattr(rounds, "likeness", lambda _, names: np.zeros((len(names), len(names)), np.int32))
    monkeypatch.setattr("splat_worker.sfm.matching.pairs.EXHAUSTIVE_MAX", 10)
    return calls


def compare(photos: list[Photo], database: Path) -> tuple[tuple[str, ...], int, list[float]]:
    seen: list[float] = []
    ways, count = compare_photos(
        SfmPreset(), photos, database, database.parent, on_progress=lambda fraction, _: seen.append(fraction)
    )
    return ways, count, seen


def test_pairs_that_share_an_overlap_follow_in_two_more_rounds(
    photos: list[Photo], database: Path, matched: list[Pairs]
) -> None:
    ways, count, seen = compare(photos, database)
    assert ways == ("sequential", "retrieval")
    assert len(matched) == 3
    assert count == sum(len(pairs) for pairs in matched) == len(set().union(*matched))
    assert {(i, j) for i in range(COUNT) for j in range(i + 1, COUNT) if j - i <= TRUE_REACH} <= set().union(*matched)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert seen.count(1.0) == 1


def test_progress_reaches_one_only_at_the_end_where_no_more_pairs_are_found(
    photos: list[Photo], database: Path, matched: list[Pairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "OVERLAP_MATCHES_MIN", 1000)
    _, _, seen = compare(photos, database)
    assert len(matched) == 1
    assert seen[-2:] == [rounds.ROUND_ENDS[0], 1.0]


def test_a_small_set_is_compared_in_one_round(
    photos: list[Photo], database: Path, matched: list[Pairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splat_worker.sfm.matching.pairs.EXHAUSTIVE_MAX", COUNT)
    ways, count, seen = compare(photos, database)
    assert (ways, count, len(matched)) == (("exhaustive",), COUNT * (COUNT - 1) // 2, 1)
    assert seen.count(1.0) == 1


@pytest.mark.parametrize("lost_in", [0, 1, 2])
def test_a_resumed_search_compares_the_same_pairs(
    lost_in: int, photos: list[Photo], database: Path, matched: list[Pairs], monkeypatch: pytest.MonkeyPatch
) -> None:
    match = rounds.match_photos

    def lost(*args, **named) -> None:  # type: ignore[no-untyped-def]
        if len(matched) == lost_in:
            raise KeyboardInterrupt
        match(*args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(rounds, "match_photos", lost)
        with pytest.raises(KeyboardInterrupt):
            compare(photos, database)
    matched.clear()
    _, count, _ = compare(photos, database)
    again = list(matched)
    matched.clear()
    assert compare(photos, database)[1] == count, "a complete database adds no pair"
    assert again == matched
