"""Which photos share a lens where tags do not say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pycolmap
import pytest

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping.ladder import Found, better_lenses
from splat_worker.sfm.mapping.lenses import untagged, write_own_lenses, zoom_settings
from tests.unit.splat_worker.sfm.match_sets import unpack


def photo(name: str, key: str, focal_px: float | None) -> Photo:
    return Photo(name=name, path=Path(name), width=640, height=480, sharpness=1.0, camera_key=key, focal_px=focal_px)


def test_only_photos_that_share_a_camera_without_a_focal_tag_are_open() -> None:
    photos = [photo("a", "x", None), photo("b", "x", None), photo("c", "y", None), photo("d", "z", 700.0)]
    assert untagged([*photos, replace(photos[3], name="e")]) == {"a", "b"}


@pytest.mark.parametrize(
    ("focals", "settings"),
    [
        pytest.param([736, 735, 740, 737], [0, 0, 0, 0], id="one lens"),
        pytest.param([736, 1398, 734, 1402], [0, 1, 0, 1], id="two zoom settings"),
        pytest.param([700, 725, 712], [0, 0, 0], id="scatter within 4 percent"),
        pytest.param([500, 600, 720], [0, 1, 2], id="a zoom at every photo"),
    ],
)
def test_zoom_settings_are_groups_of_equal_focal_lengths(focals: list[float], settings: list[int]) -> None:
    names = "abcd"
    assert zoom_settings(dict(zip(names, focals, strict=False))) == dict(zip(names, settings, strict=False))


def test_each_photo_gets_a_camera_of_its_own_and_the_given_database_stays(tmp_path: Path) -> None:
    photos, database = unpack("zoom", tmp_path)
    before = database.read_bytes()
    names = frozenset(p.path.name for p in photos[:5])
    own = write_own_lenses(database, tmp_path / "own.db", names)
    assert database.read_bytes() == before
    with pycolmap.Database.open(own) as db:
        images = {image.name: image for image in db.read_all_images()}
        cameras = {image.camera_id for image in images.values()}
        assert len(cameras) == 5, "four photos with a new one, the first and all others with the shared one"
        assert {frame.rig_id for frame in db.read_all_frames()} == {rig.rig_id for rig in db.read_all_rigs()}
        assert {rig.ref_sensor_id.id for rig in db.read_all_rigs()} == cameras
        assert {db.read_camera(i).params.tolist()[0] for i in cameras} == {768.0}


class _Model:
    def __init__(self, placed: int, error_px: float) -> None:
        self.num_reg_images = lambda: placed
        self.compute_mean_reprojection_error = lambda: error_px


def found(placed: int, error_px: float) -> Found:
    return Found(model=_Model(placed, error_px), rung="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shared", "own", "keeps_own"),
    [
        pytest.param((14, 0.7), (14, 0.3), True, id="clearly better"),
        pytest.param((14, 0.7), (14, 0.68), False, id="hardly better"),
        pytest.param((12, 0.7), (14, 0.9), True, id="more photos"),
        pytest.param((14, 0.7), (12, 0.1), False, id="fewer photos"),
    ],
)
def test_lenses_of_their_own_must_be_worth_it(
    shared: tuple[int, float], own: tuple[int, float], keeps_own: bool
) -> None:
    one, other = found(*shared), found(*own)
    assert better_lenses(one, other) is (other if keeps_own else one)
    assert better_lenses(None, other) is other
    assert better_lenses(one, None) is one
