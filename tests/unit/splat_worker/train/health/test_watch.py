"""What a look at a run in progress means. No step is taken."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.scene import View
from splat_worker.train.core.backend import Look
from splat_worker.train.health.watch import STEPS_MIN, Watch, flat_error, named

FLAT = 0.25  # of each of the photos below


def photo(name: str, mask: np.ndarray | None = None) -> View:
    """Half black, half mid grey."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:16] = 255 // 2
    return View(name=name, image=image, world_to_camera=np.eye(4), k=np.eye(3), mask=mask)


def watch(photos: int = 8) -> Watch:
    return Watch(tuple(photo(f"{i}.jpg") for i in range(photos)))


def look(errors=0.1, **changes) -> Look:
    numbers = {"errors": np.full(8, errors), "count": 1000, "broken": 0, "visible": 900}
    return Look(**{**numbers, **changes})


def test_the_error_of_the_mean_colour_counts_no_masked_pixel_as_wrong():
    assert flat_error(photo("a")) == pytest.approx(FLAT, abs=0.002)
    mask = np.ones((32, 32), bool)
    mask[16:] = False
    assert flat_error(photo("a", mask)) == 0.0
    assert flat_error(photo("a", np.zeros((32, 32), bool))) == 0.0


def test_a_run_that_goes_well_passes_every_look():
    judge = watch()
    for step, error in ((100, 0.4), (400, 0.26), (500, 0.2), (1000, 0.05)):
        assert judge.judge(look(error), step=step, steps=1000) is None


@pytest.mark.parametrize(
    ("step", "steps", "collapsed"),
    [(499, 1000, False), (500, 1000, True), (STEPS_MIN - 1, STEPS_MIN - 1, False), (STEPS_MIN, STEPS_MIN, True)],
)
def test_pictures_no_better_than_the_mean_colour_are_a_collapse_from_half_of_a_run_that_is_long_enough(
    step, steps, collapsed
):
    found = watch().judge(look(0.3), step=step, steps=steps)
    assert (found is not None) is collapsed
    if found:
        assert "30.0 % off their photos" in found.reason
        assert found.photos == ()


def test_most_of_the_gaussians_gone_is_a_collapse_at_any_step():
    judge = watch()
    assert judge.judge(look(visible=500), step=100, steps=5000) is None
    assert judge.judge(look(visible=90), step=200, steps=5000) is None
    assert judge.judge(look(visible=900), step=300, steps=5000) is None
    found = judge.judge(look(visible=89), step=400, steps=5000)
    assert found is not None
    assert found.reason == "the number of visible Gaussians fell from 900 to 89"


def test_few_broken_gaussians_are_no_collapse_and_many_are():
    assert watch().judge(look(broken=10), step=100, steps=1000) is None
    found = watch().judge(look(broken=11), step=100, steps=1000)
    assert found is not None
    assert found.reason == "11 of 1000 Gaussians have values that are not finite after 100 steps"


def test_photos_at_fault_are_those_worse_than_their_mean_colour_where_most_are_better():
    errors = np.full(8, 0.1)
    errors[7] = np.nan  # not drawn
    for changes, photos in (
        ({2: 0.3, 5: 0.4}, ()),  # two of seven are more than a quarter
        ({5: 0.4}, ("5.jpg",)),
        ({2: 0.3, 3: 0.3, 5: np.inf}, ("5.jpg",)),  # what is not finite spoils the others
        ({2: np.inf, 5: np.inf}, ()),
    ):
        own = errors.copy()
        own[list(changes)] = list(changes.values())
        found = watch().judge(look(errors=own, broken=500), step=100, steps=1000)
        assert found is not None
        assert found.photos == photos


def test_a_picture_that_is_not_finite_is_a_collapse_with_its_name():
    errors = np.full(8, 0.1)
    errors[5] = np.inf
    found = watch().judge(look(errors=errors), step=1, steps=5)
    assert found is not None
    assert "5.jpg" in found.reason
    assert found.photos == ("5.jpg",)


def test_a_long_list_of_photos_is_cut():
    assert named(("a", "b")) == "a, b"
    assert named(tuple("abcdefg")) == "a, b, c and 4 more"
