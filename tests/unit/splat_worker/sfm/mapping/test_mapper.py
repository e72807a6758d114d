"""Options of COLMAP's mapper: which depend on the size of a set, and which on the model that it begins with."""

from __future__ import annotations

import pytest

from splat_worker.sfm.mapping.ladder import LADDER
from splat_worker.sfm.mapping.mapper import LARGE_FROM_PHOTOS, incremental_options
from splat_worker.sfm.preset import SfmPreset


@pytest.mark.parametrize(
    ("photos", "is_large"), [(24, False), (LARGE_FROM_PHOTOS - 1, False), (LARGE_FROM_PHOTOS, True), (300, True)]
)
def test_only_large_sets_are_adjusted_by_a_part_of_their_points(photos: int, is_large: bool) -> None:
    options = incremental_options(SfmPreset(), LADDER[0], photos=photos, grows=False)
    assert options.mapper.ba_global_ignore_redundant_points3D is is_large
    refinements = (options.ba_local_max_refinements, options.ba_global_max_refinements)
    assert refinements == ((1, 1) if is_large else (2, 5)), "COLMAP's own for small sets"


@pytest.mark.parametrize("cores", [1, 16])
def test_one_thread_adjusts_so_that_cameras_are_bit_identical(cores: int) -> None:
    options = incremental_options(SfmPreset(threads=cores), LADDER[0], photos=300, grows=False)
    assert options.ba_min_num_residuals_for_cpu_multi_threading > 10**9


@pytest.mark.parametrize("grows", [True, False])
def test_a_model_of_most_photos_grows_and_no_second_one_is_started(grows: bool) -> None:
    options = incremental_options(SfmPreset(), LADDER[1], photos=80, grows=grows)
    assert options.multiple_models is not grows


def test_a_rung_sets_its_thresholds() -> None:
    for rung in LADDER[:3]:
        mapper = incremental_options(SfmPreset(), rung, photos=24, grows=False).mapper
        assert (mapper.init_min_tri_angle, mapper.abs_pose_min_num_inliers) == (
            rung.init_min_angle_deg,
            rung.pose_min_inliers,
        )
