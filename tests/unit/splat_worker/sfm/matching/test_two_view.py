"""The geometry of a pair whose matches are in memory: as COLMAP's own, also where only a sample is verified."""

from __future__ import annotations

import numpy as np
import pycolmap
import pytest

from splat_worker.sfm.matching import two_view
from splat_worker.sfm.matching.two_view import PhotoFeatures, verified
from splat_worker.sfm.matching.verify import verification_options

K = np.array([[712.0, 0, 500], [0, 712.0, 375], [0, 0, 1]])
SIDE = np.array([10.0, 1, 0.5])
COUNT = 2500


def pair(*, shift, height: float, focal_known: bool, wrong: float = 0.2):
    """A ground 40 m away with points up to some `height` m above it, seen from two places `shift` m apart; some of the
    matches are wrong."""
    draw = np.random.default_rng(0)
    right = int(COUNT * (1 - wrong))
    depth = 40 - np.abs(draw.normal(0, height, right))
    points = np.column_stack([draw.uniform(-25, 25, right), draw.uniform(-19, 19, right), depth])
    spread = draw.uniform([0, 0], [1000, 750], (2, COUNT - right, 2))
    seen = []
    for centre, other in zip((np.zeros(3), shift), spread, strict=True):
        flat = (points - centre) @ K.T
        px = np.vstack([flat[:, :2] / flat[:, 2:], other]) + draw.normal(0, 0.4, (COUNT, 2))
        camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=1000, height=750, params=[712.0, 500, 375, 0.0])
        camera.has_prior_focal_length = focal_known
        seen.append(PhotoFeatures(camera=camera, points=px))
    order = draw.permutation(COUNT)
    return (*seen, np.column_stack([order, order]).astype(np.uint32), set(range(right)))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"shift": SIDE, "height": 5.0, "focal_known": True}, id="calibrated"),
        pytest.param({"shift": SIDE, "height": 5.0, "focal_known": False}, id="focal length unknown"),
        pytest.param({"shift": SIDE, "height": 0.0, "focal_known": True}, id="a plane"),
        pytest.param({"shift": 0 * SIDE, "height": 5.0, "focal_known": True}, id="from one spot"),
        pytest.param({"shift": SIDE, "height": 5.0, "focal_known": True, "wrong": 0.5}, id="half of them wrong"),
    ],
)
def test_a_sample_gives_the_kind_and_the_inliers_of_all_matches(kind):
    one, other, matches, right = pair(**kind)
    assert len(matches) > 3 * two_view.SAMPLE_MAX
    all_of_them = pycolmap.estimate_two_view_geometry(
        one.camera, one.points, other.camera, other.points, matches, verification_options()
    )
    found = verified(one, other, matches)
    assert found.config == all_of_them.config
    ours, theirs = ({int(i) for i, _ in geometry.inlier_matches} for geometry in (found, all_of_them))
    assert len(ours & theirs) >= 0.98 * max(len(ours), len(theirs))
    assert len(ours & right) >= 0.98 * len(right)


def test_few_matches_are_verified_as_colmap_does():
    one, other, matches, _ = pair(shift=SIDE, height=5.0, focal_known=True)
    few = np.ascontiguousarray(matches[: two_view.SAMPLE_MAX])
    theirs = pycolmap.estimate_two_view_geometry(
        one.camera, one.points, other.camera, other.points, few, verification_options()
    )
    np.testing.assert_array_equal(verified(one, other, few).inlier_matches, theirs.inlier_matches)
