"""The outward search against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.train.cpu.kernels.neighbours import nearest_distances

RNG = np.random.default_rng(0)
CLOUDS = {
    "a ball": RNG.normal(size=(300, 3)),
    "a plane across the first axis": RNG.normal(size=(300, 3)) * [0, 1, 1],
    "points on points": np.repeat(RNG.normal(size=(60, 3)), 5, axis=0),
    "one far away": np.concatenate([RNG.normal(size=(100, 3)), [[1e6, 0, 0]]]),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_distances_are_those_of_brute_force(name):
    points = CLOUDS[name]
    squares = ((points[:, None] - points[None]) ** 2).sum(-1)
    np.fill_diagonal(squares, np.inf)
    want = np.sqrt(np.sort(squares, axis=1)[:, :5])
    assert np.allclose(nearest_distances(points, 5), want)


def test_more_neighbours_than_points_are_refused():
    with pytest.raises(ValueError, match="5 neighbours of 4 points"):
        nearest_distances(RNG.normal(size=(4, 3)), 5)
