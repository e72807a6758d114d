"""Motion between small frames whose shift is known. Silent failures: motion in a still part, a lost pan that counts as
none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from splat_worker.video.motion import SIDE_PX, shift_between
from splat_worker.video.sharpness import detail_along


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    """(300, 400) grey levels with detail of several sizes."""
    rng = np.random.default_rng(3)
    layers = [
        np.asarray(Image.fromarray(rng.integers(0, 255, (n * 3, n * 4), dtype=np.uint8)).resize((400, 300), 2), float)
        for n in (4, 12, 40)
    ]
    return np.mean(layers, axis=0).astype(np.float32)


def view(wall: np.ndarray, dx: int, dy: int = 0) -> np.ndarray:
    return wall[100 + dy : 208 + dy, 100 + dx : 100 + SIDE_PX + dx]


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, -3), (4, 3), (-8, 0), (12, 0)])
def test_a_shift_is_found(wall: np.ndarray, dx: int, dy: int) -> None:
    assert shift_between(view(wall, 0), view(wall, dx, dy)) == pytest.approx(np.hypot(dx, dy) / SIDE_PX, abs=0.002)


def test_noise_and_light_are_no_motion(wall: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    noisy = view(wall, 0) * 0.8 + rng.normal(0, 3, view(wall, 0).shape).astype(np.float32)
    found = shift_between(view(wall, 0), noisy)
    assert found is not None
    assert found < 0.003


def test_another_place_is_lost_and_not_still(wall: np.ndarray) -> None:
    assert shift_between(view(wall, 0), view(wall, -95, 80)) is None


def test_a_blank_picture_that_stays_blank_is_still() -> None:
    blank = np.full((108, SIDE_PX), 90, np.float32)
    assert shift_between(blank, blank + 1) == 0.0
    assert shift_between(blank, blank + 60) is None


def test_blur_in_one_direction_counts_as_blur(wall: np.ndarray) -> None:
    sharp = Image.fromarray(wall.astype(np.uint8))
    smeared = np.mean([np.roll(wall, shift, axis=1) for shift in range(9)], axis=0)
    assert detail_along(Image.fromarray(smeared.astype(np.uint8))) < 0.25 * detail_along(sharp)
