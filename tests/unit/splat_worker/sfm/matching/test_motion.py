"""What the matches say about the camera's motion, on exact projections of a known scene."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.sfm.matching.motion import (
    Lens,
    from_one_spot,
    still_background,
)
from splat_worker.sfm.matching.verified import VerifiedPair

WIDTH, HEIGHT = 640, 480
FOCAL_PX = 560.0


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def seen(points: np.ndarray, rotation: np.ndarray, centre: np.ndarray, k1: float = 0.0) -> np.ndarray:
    """(N, 2) px with half a pixel of noise; NaN outside of the photo."""
    local = (points - centre) @ rotation.T
    flat = local[:, :2] / local[:, 2:]
    flat = flat * (1 + k1 * (flat**2).sum(axis=1, keepdims=True))
    px = flat * FOCAL_PX + [WIDTH / 2, HEIGHT / 2] + np.random.default_rng(len(points)).normal(0, 0.5, (len(points), 2))
    outside = (local[:, 2] < 0.1) | (px < 0).any(axis=1) | (px[:, 0] > WIDTH) | (px[:, 1] > HEIGHT)
    return np.where(outside[:, None], np.nan, px)


def pairs_of(photos: list[np.ndarray]) -> list[VerifiedPair]:
    found = []
    for i, one in enumerate(photos):
        for j in range(i + 1, len(photos)):
            both = ~np.isnan(one[:, 0]) & ~np.isnan(photos[j][:, 0])
            if both.sum() >= 15:
                found.append(
                    VerifiedPair(
                        first=str(i), second=str(j), matches=int(both.sum()),
                        first_px=one[both], second_px=photos[j][both],
                    )
                )  # fmt: skip
    return found


def room(flat: bool) -> np.ndarray:
    points = np.random.default_rng(1).uniform([-4, -2, 3], [4, 2, 9], (600, 3))
    if flat:
        points[:, 2] = 5.0
    return points


def lenses(focal_px: float | None) -> dict[str, Lens]:
    return {str(i): Lens(width=WIDTH, height=HEIGHT, focal_px=focal_px) for i in range(12)}


@pytest.mark.parametrize("tagged", [None, FOCAL_PX], ids=["no tags", "tags"])
@pytest.mark.parametrize("k1", [0.0, -0.05], ids=["straight", "bent"])
@pytest.mark.parametrize("step_deg", [2.0, 5.0, 10.0])
def test_a_turning_camera_stands_on_one_spot(step_deg: float, tagged: float | None, k1: float) -> None:
    photos = [seen(room(flat=False), turned(step_deg * i), np.zeros(3), k1) for i in range(8)]
    assert from_one_spot(pairs_of(photos), lenses(tagged))


@pytest.mark.parametrize("tagged", [None, FOCAL_PX, 4 * FOCAL_PX], ids=["no tags", "tags", "tags of a long lens"])
@pytest.mark.parametrize("flat", [True, False], ids=["a wall", "a room"])
@pytest.mark.parametrize("turn_deg", [0.0, 4.0], ids=["sliding", "turning"])
def test_a_walking_camera_does_not(flat: bool, turn_deg: float, tagged: float | None) -> None:
    photos = [seen(room(flat), turned(turn_deg * i), np.array([0.4 * i - 1.2, 0, 0])) for i in range(7)]
    assert not from_one_spot(pairs_of(photos), lenses(tagged))


def test_no_pairs_show_no_rotation_and_no_background() -> None:
    assert not from_one_spot([], {})
    assert not still_background([], {})


@pytest.mark.parametrize(
    ("still", "expected"),
    [
        pytest.param(100, True, id="all matches stand still"),
        pytest.param(70, True, id="most matches stand still"),
        pytest.param(30, False, id="the subject has most matches"),
        pytest.param(0, False, id="all move"),
    ],
)
def test_a_background_stands_still_if_most_matches_of_most_pairs_do(still: int, expected: bool) -> None:
    rng = np.random.default_rng(2)
    pairs = []
    for i in range(5):
        first = rng.uniform(0, 600, (100, 2))
        second = first + rng.normal(0, 0.5, (100, 2))
        second[still:] += 25
        pairs.append(VerifiedPair(first=str(i), second=str(i + 1), matches=100, first_px=first, second_px=second))
    assert still_background(pairs, lenses(None)) is expected


def test_two_photos_of_one_burst_do_not_make_a_background() -> None:
    first = np.random.default_rng(3).uniform(0, 600, (50, 2))
    pairs = [
        VerifiedPair(first=str(i), second=str(i + 1), matches=50, first_px=first, second_px=first + 40 * (i != 2))
        for i in range(6)
    ]
    assert not still_background(pairs, lenses(None))
