"""Why a photo got no camera: one reason per photo, and the most frequent first in the tally."""

from __future__ import annotations

from pathlib import Path

import pytest

from splat_worker.contract.job_report import Rejected
from splat_worker.photos.validation import Photo
from splat_worker.sfm.diagnosis import Overlap, Unplaced, advice, diagnose, tally, unsure_note


def photo(name: str, sharpness: float = 100.0) -> Photo:
    return Photo(name=name, path=Path(f"{name}"), width=100, height=100, sharpness=sharpness, camera_key="")


def test_each_photo_without_a_camera_gets_the_matching_reason() -> None:
    photos = [photo(n) for n in ("in-1", "in-2", "in-3", "plain", "alone", "group-1", "group-2", "odd")]
    photos.append(photo("soft", sharpness=10))
    inliers = {
        "group-1": {"group-2": 60, "in-1": 8},
        "group-2": {"group-1": 60},
        "odd": {"in-1": 40, "in-2": 22},
        "alone": {"in-1": 14},
        "soft": {"in-1": 20},
    }
    overlaps = {
        p.name: Overlap(keypoints=12 if p.name == "plain" else 4000, inliers=inliers.get(p.name, {})) for p in photos
    }
    found = diagnose(photos, {"in-1", "in-2", "in-3"}, overlaps)
    assert {r.name: r.code for r in found} == {
        "plain": Unplaced.FEW_KEYPOINTS,
        "alone": Unplaced.NO_PARTNER,
        "group-1": Unplaced.OTHER_GROUP,
        "group-2": Unplaced.OTHER_GROUP,
        "odd": Unplaced.NOT_PLACED,
        "soft": Unplaced.BLURRED,
    }
    assert all(r.reason.endswith(".") for r in found)


def test_photos_that_all_overlap_are_no_separate_group_where_none_was_placed() -> None:
    names = [f"{i}" for i in range(7)]
    inliers = {name: {other: 40 for other in names if other != name} for name in names}
    found = diagnose([photo(n) for n in names], set(), {n: Overlap(keypoints=4000, inliers=inliers[n]) for n in names})
    assert [r.code for r in found] == [Unplaced.NOT_PLACED] * 7
    assert tally(found) == " Left out: 7 without a fitting camera position."
    assert "separate" not in (advice(found) or "")


def test_where_none_was_placed_the_smaller_group_is_the_separate_one() -> None:
    pairs = [("a1", "a2"), ("a2", "a3"), ("b1", "b2")]
    names = sorted({name for pair in pairs for name in pair})
    inliers = {n: {(p[1] if p[0] == n else p[0]): 40 for p in pairs if n in p} for n in names}
    found = diagnose([photo(n) for n in names], set(), {n: Overlap(keypoints=4000, inliers=inliers[n]) for n in names})
    groups = {r.name for r in found if r.code == Unplaced.OTHER_GROUP}
    assert groups == {"b1", "b2"}


def test_the_tally_starts_with_the_most_frequent_reason() -> None:
    codes = ["NO_PARTNER", "FEW_KEYPOINTS", "NO_PARTNER"]
    assert tally([Rejected(name=str(i), code=c, reason="") for i, c in enumerate(codes)]) == (
        " Left out: 2 with too little overlap and 1 with too little detail."
    )
    assert tally([]) == ""


@pytest.mark.parametrize(
    ("seen", "unsure"),
    [
        pytest.param([180, 240, 45, 300, 210], "c.jpg", id="one of five photos hangs on few points"),
        pytest.param([180, 240, 110, 300, 210], None, id="all of five see enough"),
        pytest.param([45] * 5, "a.jpg", id="all see few points"),
        pytest.param([45] * 9, None, id="more photos contradict a wrong one"),
    ],
)
def test_a_scene_of_few_photos_with_few_points_is_reported_as_not_certain(seen: list[int], unsure: str | None) -> None:
    note = unsure_note({f"{letter}.jpg": count for letter, count in zip("abcdefghi", seen, strict=False)})
    assert note is None if unsure is None else note is not None
    assert unsure is None or f"{unsure} shares only 45 points" in str(note)
