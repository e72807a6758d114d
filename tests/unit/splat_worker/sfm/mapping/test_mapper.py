"""COLMAP's mapper: which options depend on the size of a set, and what a rung does with the model it begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping import mapper
from splat_worker.sfm.mapping.ladder import LADDER
from splat_worker.sfm.mapping.mapper import LARGE_FROM_PHOTOS, Mapper, incremental_options


@dataclass
class Model:
    """Stands for a model of COLMAP with that many photos."""

    placed: int

    def num_reg_images(self) -> int:
        return self.placed

    def write(self, _: Path) -> None: ...


@pytest.mark.parametrize(
    ("photos", "is_large"), [(24, False), (LARGE_FROM_PHOTOS - 1, False), (LARGE_FROM_PHOTOS, True), (300, True)]
)
def test_only_large_sets_are_adjusted_by_a_part_of_their_points(photos: int, is_large: bool) -> None:
    options = incremental_options(LADDER[0], photos=photos, grows=False)
    assert options.mapper.ba_global_ignore_redundant_points3D is is_large
    refinements = (options.ba_local_max_refinements, options.ba_global_max_refinements)
    assert refinements == ((1, 1) if is_large else (2, 5)), "COLMAP's own for small sets"
    assert options.ba_global_frames_ratio == options.ba_global_points_ratio == (2.0 if is_large else 1.4)
    assert options.mapper.ba_local_num_images == (4 if is_large else 6)
    assert options.ba_local_function_tolerance == (1e-4 if is_large else 1e-6)


def test_one_thread_places_and_adjusts_so_that_cameras_are_bit_identical() -> None:
    options = incremental_options(LADDER[0], photos=300, grows=False)
    assert options.num_threads == 1
    assert options.ba_min_num_residuals_for_cpu_multi_threading > 10**9


@pytest.mark.parametrize("grows", [True, False])
def test_a_model_of_most_photos_grows_and_no_second_one_is_started(grows: bool) -> None:
    options = incremental_options(LADDER[1], photos=80, grows=grows)
    assert options.multiple_models is not grows


@pytest.mark.parametrize(
    ("photos", "grown", "models", "adjusted"),
    [
        pytest.param(LARGE_FROM_PHOTOS, None, [58], [58], id="a large set is adjusted by all points"),
        pytest.param(LARGE_FROM_PHOTOS, 58, [59], [59], id="the rung adds a photo"),
        pytest.param(LARGE_FROM_PHOTOS, 58, [], [], id="the rung adds none"),
        pytest.param(LARGE_FROM_PHOTOS - 1, 58, [58], [], id="a small set is as the mapper left it"),
    ],
)
def test_what_a_rung_adds_nothing_to_is_neither_adjusted_nor_judged_again(
    *,
    photos: int,
    grown: int | None,
    models: list[int],
    adjusted: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [Model(placed) for placed in models or [58]]
    again: list[int] = []
    monkeypatch.setattr(mapper.pycolmap, "incremental_mapping", lambda *_, **__: dict(enumerate(made)))
    monkeypatch.setattr(mapper, "adjust", lambda model: again.append(model.placed))
    image = Photo(
        name="1.jpg", path=tmp_path / "1.jpg", width=1000, height=750, sharpness=1.0, camera_key="one", focal_px=800.0
    )
    found = Mapper(
        rung=LADDER[1], name="relaxed", photos=[image] * photos, reachable=photos,
        database=tmp_path / "matches.db", out=tmp_path / "out", on_progress=lambda *_: None, on_partial=None,
    ).run(None, begin_with=None if grown is None else Model(grown))  # fmt: skip
    assert [model.num_reg_images() for model in found] == models
    assert again == adjusted


def test_a_rung_sets_its_thresholds() -> None:
    for rung in LADDER[:3]:
        options = incremental_options(rung, photos=24, grows=False).mapper
        assert (options.init_min_tri_angle, options.abs_pose_min_num_inliers) == (
            rung.init_min_angle_deg,
            rung.pose_min_inliers,
        )
