"""Gains of photos: from their tags where brightness follows these, from matches where a photo has none."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.sfm.brightness import Observations, common_points, fit, matched_logs
from splat_worker.sfm.sparse import SparseCamera

PHOTOS, POINTS = 16, 400


def seen(logs, *, noise=0.02, outliers=0.0, share=0.4, seed=0):
    """Points of random brightness, each seen by a share of the photos, whose log gains are `logs`."""
    draw = np.random.default_rng(seed)
    point, photo = np.nonzero(draw.random((POINTS, len(logs))) < share)
    level = draw.normal(4.5, 0.4, POINTS)[point] + np.asarray(logs)[photo] + draw.normal(0, noise, len(point))
    wrong = draw.random(len(point)) < outliers
    level[wrong] += draw.normal(0, 1.0, wrong.sum())
    return Observations(photo=photo, point=point, level=level)


def stops_of(spread=0.5, count=PHOTOS, seed=1):
    return np.random.default_rng(seed).normal(-7, spread, count)


def centred(values):
    return np.asarray(values) - np.nanmean(values)


@pytest.mark.parametrize("exponent", [0.3, 0.45, 0.9])
def test_the_tone_curve_is_measured_and_gains_follow_the_tags(exponent):
    stops = stops_of()
    found = fit(seen(exponent * centred(stops) * np.log(2), outliers=0.1), stops)
    assert found.exponent == pytest.approx(exponent, abs=0.03)
    assert np.log(found.gain) == pytest.approx(found.exponent * centred(stops) * np.log(2))
    assert (found.gain_of_tags == found.gain).all()


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param(np.zeros(PHOTOS), id="a phone that merges exposures"),
        pytest.param(-0.45 * centred(stops_of()) * np.log(2), id="brightness against the tags"),
        pytest.param(np.random.default_rng(5).normal(0, 0.2, PHOTOS), id="brightness of its own, as after editing"),
        pytest.param(2.0 * centred(stops_of()) * np.log(2), id="steeper than any tone curve"),
    ],
)
def test_tags_that_do_not_explain_the_brightness_are_not_used(logs):
    found = fit(seen(logs), stops_of())
    assert found.exponent == 0.0
    assert (found.gain == 1.0).all()
    assert (found.gain_of_tags == 1.0).all()


def test_equal_exposures_change_nothing():
    found = fit(seen(np.zeros(PHOTOS)), np.full(PHOTOS, -7.0))
    assert found.exponent == 0.0
    assert (found.gain == 1.0).all()


def along_a_path(logs, *, width=3, noise=0.02, seed=0):
    """Points that only photos near each other on a closed path see."""
    draw = np.random.default_rng(seed)
    ways = np.abs((np.arange(len(logs))[None] - draw.uniform(0, len(logs), POINTS)[:, None]) % len(logs))
    point, photo = np.nonzero(np.minimum(ways, len(logs) - ways) < width)
    level = draw.normal(4.5, 0.4, POINTS)[point] + np.asarray(logs)[photo] + draw.normal(0, noise, len(point))
    return Observations(photo=photo, point=point, level=level)


@pytest.mark.parametrize(
    ("stops", "used"),
    [
        pytest.param(np.sin(np.linspace(0, 2 * np.pi, 24, endpoint=False)) - 7, False, id="smooth along the path"),
        pytest.param(np.where(np.arange(24) % 2, 0.5, -0.5) - 7, True, id="every other photo lighter"),
        pytest.param(stops_of(count=24), True, id="by chance"),
    ],
)
def test_tags_are_used_only_where_neighbours_do_not_tell_the_exposure(stops, used):
    """Silent: on a smooth path the colours that depend on the direction fit better than a power of the exposure."""
    found = fit(along_a_path(0.45 * centred(stops) * np.log(2)), stops)
    assert (found.exponent > 0) == used


def test_common_points_are_counted_in_blocks(monkeypatch):
    given = seen(np.zeros(PHOTOS))
    sees = np.zeros((PHOTOS, POINTS), int)
    sees[given.photo, given.point] = 1
    expected = sees @ sees.T * (1 - np.eye(PHOTOS, dtype=int))
    monkeypatch.setattr("splat_worker.sfm.brightness.POINTS_AT_ONCE", 64)
    assert np.array_equal(common_points(given, PHOTOS), expected)


def test_a_photo_without_tags_has_the_gain_that_its_matches_say():
    stops = stops_of()
    logs = 0.45 * centred(stops) * np.log(2)
    known = np.where(np.arange(PHOTOS) == 3, np.nan, stops)
    found = fit(seen(logs), known)
    assert found.gain_of_tags[3] == 1.0
    others = np.delete(np.arange(PHOTOS), 3)
    assert np.log(found.gain[3]) == pytest.approx(logs[3] - logs[others].mean(), abs=0.05)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_tags_are_not_used(count):
    stops = np.where(np.arange(PHOTOS) < count, stops_of(), np.nan)
    assert fit(seen(0.45 * centred(stops_of()) * np.log(2)), stops).exponent == 0.0


def test_gains_are_bounded():
    stops = stops_of(spread=3.0)
    found = fit(seen(0.6 * centred(stops) * np.log(2)), stops)
    assert found.gain.max() <= 4.0
    assert found.gain.min() >= 0.25


def test_matches_agree_about_brightness_also_with_wrong_ones_among_them():
    logs = centred(np.random.default_rng(7).normal(0, 0.3, PHOTOS))
    assert matched_logs(seen(logs, outliers=0.2), PHOTOS) == pytest.approx(logs, abs=0.04)


def test_a_photo_with_few_matched_points_has_a_gain_of_one():
    few = seen(np.zeros(PHOTOS))
    keep = (few.photo != 2) | (np.cumsum(few.photo == 2) < 10)
    lighter = few.level + 0.5 * (few.photo == 2)
    logs = matched_logs(Observations(photo=few.photo[keep], point=few.point[keep], level=lighter[keep]), PHOTOS)
    assert logs[2] == 0.0


def test_photos_too_dark_to_compare_have_gains_of_one():
    none = np.zeros(0, np.int64)
    found = fit(Observations(photo=none, point=none, level=np.zeros(0)), stops_of())
    assert found.exponent == 0.0
    assert (found.gain == 1.0).all()


def test_a_checkpoint_of_an_earlier_version_has_gains_of_one():
    camera = SparseCamera(
        name="a", world_to_camera=np.eye(4), width=4, height=3, focal_px=4, cx=2, cy=1.5, k1=0, seen=1
    )
    assert (camera.gain, camera.gain_of_tags) == (1.0, 1.0)
