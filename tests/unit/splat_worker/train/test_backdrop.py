"""The dome behind a scene: where it stands, which colours it has, and when there is none. Nothing is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splat_worker.scene import Gaussians, View
from splat_worker.train.backdrop import DIRECTIONS, FAR, OPACITY, backdrop, even_directions
from splat_worker.train.render import render

SKY, GROUND = (100, 150, 220), (90, 120, 40)
POINTS = np.random.default_rng(0).normal(0, 0.5, (200, 3)).astype(np.float32)


def photo(turn_deg: float, image: np.ndarray | None = None, mask: np.ndarray | None = None) -> View:
    """A photo 90 degrees wide from the origin, turned about the vertical (y down): sky above, ground below."""
    if image is None:
        image = np.empty((64, 64, 3), np.uint8)
        image[:32], image[32:] = SKY, GROUND
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    pose = np.eye(4)
    pose[:3, :3] = [[c, 0, -s], [0, 1, 0], [s, 0, c]]
    k = np.array([[32.0, 0, 32], [0, 32.0, 32], [0, 0, 1]])
    return View(name=f"{turn_deg}", image=image, world_to_camera=pose, k=k, mask=mask)


def farthest(colours: np.ndarray, from_: tuple[int, int, int]) -> float:
    """The largest difference of any of (..., 3) colours, 0 to 1, from one of 0 to 255."""
    return float(np.abs(colours - np.array(from_) / 255).max())


def nothing() -> Gaussians:
    return Gaussians(
        means=np.zeros((0, 3), np.float32),
        log_scales=np.zeros((0, 3), np.float32),
        quats=np.zeros((0, 4), np.float32),
        opacity_logits=np.zeros(0, np.float32),
        sh=np.zeros((0, 4, 3), np.float32),
    )


AROUND = tuple(photo(turn) for turn in (0, 90, 180, 270))


def test_directions_are_unit_vectors_and_about_as_far_apart_everywhere():
    directions = even_directions(400)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0)
    apart = np.arccos(np.clip(np.sort(directions @ directions.T, axis=1)[:, -2], -1, 1))
    assert apart.max() < 2.0 * apart.min()


def test_the_dome_lies_far_beyond_points_and_cameras():
    dome = backdrop(AROUND, POINTS)
    reach = np.quantile(np.linalg.norm(POINTS, axis=1), 0.99)
    assert np.linalg.norm(dome.means, axis=1) == pytest.approx(FAR * reach, rel=1e-5)


def test_cameras_far_from_few_points_lie_inside_the_dome():
    views = tuple(replace(view, world_to_camera=shifted(view, 50.0)) for view in AROUND)
    dome = backdrop((*AROUND, *views), POINTS)
    centres = np.stack([view.camera.centre for view in (*AROUND, *views)])
    middle = centres.mean(axis=0)
    assert np.linalg.norm(centres - middle, axis=1).max() < np.linalg.norm(dome.means - middle, axis=1).min()


def shifted(view: View, by: float) -> np.ndarray:
    pose = view.world_to_camera.copy()
    pose[:3, 3] = -pose[:3, :3] @ np.array([by, 0.0, 0.0])
    return pose


def test_colours_are_those_that_the_photos_show_in_that_direction():
    dome = backdrop(AROUND, POINTS)
    height = -dome.means[:, 1] / np.linalg.norm(dome.means, axis=1)
    assert farthest(dome.colours[height > 0.35], SKY) < 0.02
    assert farthest(dome.colours[height < -0.35], GROUND) < 0.02


def test_a_direction_that_no_photo_shows_takes_after_the_nearest_that_one_does():
    dome = backdrop((photo(0),), POINTS)
    behind = dome.means[:, 2] < 0
    upwards = behind & (dome.means[:, 1] < -0.5 * np.abs(dome.means).max())
    assert behind.sum() > 0.4 * DIRECTIONS
    assert farthest(dome.colours[upwards], SKY) < 0.02


def test_its_mean_colour_in_a_picture_is_that_of_the_photo():
    dome = backdrop(AROUND, POINTS)
    assert dome.behind(AROUND[1].camera) == pytest.approx((np.array(SKY) + GROUND) / 2 / 255, abs=0.03)


def test_a_picture_of_the_dome_alone_has_no_holes():
    scene = backdrop(AROUND, POINTS).joined(nothing())
    for view in (photo(0), photo(45), photo(200)):
        picture = render(scene, view.camera)
        assert farthest(picture[:20], SKY) < 0.08
        assert farthest(picture[-20:], GROUND) < 0.08


def test_joining_leaves_the_scene_first_and_unchanged():
    dome = backdrop(AROUND, POINTS)
    rng = np.random.default_rng(1)
    scene = Gaussians(
        means=rng.normal(size=(3, 3)).astype(np.float32),
        log_scales=rng.normal(size=(3, 3)).astype(np.float32),
        quats=rng.normal(size=(3, 4)).astype(np.float32),
        opacity_logits=rng.normal(size=3).astype(np.float32),
        sh=rng.normal(size=(3, 9, 3)).astype(np.float32),
    )
    joined = dome.joined(scene)
    assert len(joined) == 3 + DIRECTIONS
    for name in ("means", "log_scales", "quats", "opacity_logits", "sh"):
        assert (getattr(joined, name)[:3] == getattr(scene, name)).all()
    assert (joined.sh[3:, 1:] == 0).all()
    assert 1 / (1 + np.exp(-joined.opacity_logits[3:])) == pytest.approx(OPACITY)


def test_colours_have_the_exposure_of_the_scene():
    image = np.full((64, 64, 3), 150, np.uint8)
    views = tuple(replace(photo(turn, image), gain=1.5) for turn in (0, 90, 180, 270))
    assert farthest(backdrop(views, POINTS).colours, (100, 100, 100)) < 0.01


def test_masked_pixels_give_no_colour():
    image = np.empty((64, 64, 3), np.uint8)
    image[:], image[:, 31:33] = SKY, (255, 0, 0)
    mask = np.ones((64, 64), bool)
    mask[:, 31:33] = False
    dome = backdrop(tuple(photo(turn, image, mask) for turn in (0, 90, 180, 270)), POINTS)
    assert farthest(dome.colours, SKY) < 0.01


@pytest.mark.parametrize(
    "views",
    [
        pytest.param(
            (photo(0, np.pad(np.full((32, 32, 3), 200, np.uint8), ((16, 16), (16, 16), (0, 0)))),), id="over black"
        ),
        pytest.param((replace(photo(0), cover=np.full((64, 64), 255, np.uint8)),), id="cut out"),
    ],
)
def test_a_subject_in_front_of_nothing_gets_no_dome(views):
    assert backdrop(views, POINTS) is None


def test_the_dome_is_the_same_to_the_last_bit_every_time():
    first, again = backdrop(AROUND, POINTS), backdrop(AROUND, POINTS)
    assert (first.colours == again.colours).all()
    assert (first.means == again.means).all()
