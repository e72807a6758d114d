"""Whole searches on the matches of drawn photo sets that once gave a made-up scene, wrong advice or a long wait.
Silent failures: a scene without depth, one lens for two zooms, a room that stands still taken for the subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from splat_worker.errors import Code, JobError
from splat_worker.sfm.cameras import reconstruct
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.sparse import SparseModel
from tests.unit.splat_worker.sfm.match_sets import unpack

pytestmark = pytest.mark.slow


def search(name: str, folder: Path) -> SparseModel:
    photos, database = unpack(name, folder)
    return reconstruct(SfmPreset(), photos, folder / "sfm", resume_from=database)


def test_photos_from_one_spot_fail_with_that_reason_before_any_camera_is_placed(tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        search("one_spot", tmp_path)
    assert caught.value.code is Code.SFM_FAILED
    assert "show no depth" in caught.value.message
    assert caught.value.hint == "Walk around the subject; all photos were taken from one spot."
    assert not (tmp_path / "sfm/default").exists()


def test_two_zoom_settings_without_tags_get_two_lenses(tmp_path: Path) -> None:
    model = search("zoom", tmp_path)
    wide, tele = ([c.focal_px for c in model.cameras if int(c.name[:2]) % 2 == odd] for odd in (0, 1))
    assert len(model.cameras) >= 13
    assert np.allclose(wide, 736, rtol=0.01)
    assert np.allclose(tele, 1398, rtol=0.01)
    assert {len(set(wide)), len(set(tele))} == {1}, "photos of one zoom setting share a lens"
    assert model.reprojection_error_px < 0.4
    assert {r.code for r in model.rejected} <= {"MISPLACED"}


def test_a_background_that_stands_still_is_left_out_and_the_turning_subject_is_found(tmp_path: Path) -> None:
    model = search("turntable", tmp_path)
    assert len(model.cameras) >= 11
    axes = np.stack([c.world_to_camera[2, :3] for c in model.cameras])
    turns = np.degrees(np.arccos(np.clip((axes[1:] * axes[:-1]).sum(axis=1), -1, 1)))
    assert np.all((turns > 8) & (turns < 16)), "15 degrees a photo, seen from above"
    assert any("background" in note for note in model.notes)


def test_a_still_background_that_hides_the_subject_fails_with_advice(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("splat_worker.sfm.cameras.without_still_matches", lambda database, target, lenses: database)
    with pytest.raises(JobError) as caught:
        search("turntable", tmp_path)
    assert "background stands still" in caught.value.message
    assert "plain background" in caught.value.hint
    assert "masks" in caught.value.hint


def test_two_rooms_give_the_larger_one_by_the_first_rung(tmp_path: Path) -> None:
    model = search("two_rooms", tmp_path)
    assert [c.name[0] for c in model.cameras] == ["a"] * 8
    assert {(r.name[0], r.code) for r in model.rejected} == {("b", "OTHER_GROUP")}
    assert list(model.tried) == ["default"], "no rung joins rooms that no match connects"
