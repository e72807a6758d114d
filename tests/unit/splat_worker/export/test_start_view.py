"""The photo that a scene opens with, for cameras around a subject of radius 1.
Silent failures: a poster of a patch of fur, a cropped head, a blurred first view."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.export.start_view import merits_of, start_view
from splat_worker.scene import PosedPhotos, View

WIDTH, HEIGHT, FOCAL = 400, 300, 300.0
MIDDLE = "photo 4"


def view(
    name: str,
    turn_deg: float,
    *,
    distance: float = 4.0,
    above_deg: float = 20.0,
    aside_deg: float = 0.0,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> View:
    """A camera at this place around the origin, y down, that looks past it by aside_deg."""
    a, h = np.radians(turn_deg), np.radians(above_deg)
    centre = distance * np.array([np.sin(a) * np.cos(h), -np.sin(h), -np.cos(a) * np.cos(h)])
    forward = -centre / distance
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    s, c = np.sin(np.radians(aside_deg)), np.cos(np.radians(aside_deg))
    forward, right = c * forward + s * right, c * right - s * forward
    rotation = np.stack([right, np.cross(forward, right), forward])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ centre
    k = np.array([[FOCAL, 0, size[0] / 2], [0, FOCAL, size[1] / 2], [0, 0, 1]])
    return View(name=name, image=np.zeros((size[1], size[0], 3), np.uint8), world_to_camera=pose, k=k)


def posed(*views: View) -> PosedPhotos:
    rng = np.random.default_rng(4)
    subject = rng.normal(size=(400, 3))
    subject *= rng.uniform(0.2, 1, (400, 1)) / np.linalg.norm(subject, axis=1, keepdims=True)
    points = np.concatenate([subject, 6 * rng.normal(size=(300, 3))]).astype(np.float32)
    return PosedPhotos(views=views, points=points, point_colours=np.zeros((len(points), 3), np.uint8))


def arc(arc_deg: float = 80.0) -> list[View]:
    return [view(f"photo {i}", turn) for i, turn in enumerate(np.linspace(-arc_deg / 2, arc_deg / 2, 9))]


def chosen(views: list[View], sharpness: dict[str, float] | None = None) -> str:
    return start_view(posed(*views), sharpness or {}).name


def test_the_middle_photo_of_an_arc_is_chosen() -> None:
    assert chosen(arc()) == MIDDLE
    assert chosen(list(reversed(arc()))) == MIDDLE


@pytest.mark.parametrize(
    ("what", "worse"),
    [
        ("a close-up", view("worse", 0, distance=1.3)),
        ("a close-up of a side", view("worse", 0, distance=1.8, aside_deg=15)),
        ("a cropped subject", view("worse", 0, aside_deg=30)),
        ("a subject at the edge", view("worse", 0, aside_deg=14)),
        ("a view from far away", view("worse", 0, distance=16)),
        ("a view from straight above", view("worse", 0, above_deg=85)),
        ("a view from behind all others", view("worse", 180)),
        ("a camera that looks away", view("worse", 0, aside_deg=180)),
        ("a narrow frame that crops the sides", view("worse", 0, size=(120, 300))),
    ],
)
def test_another_photo_at_the_middle_of_the_cameras_is_not_chosen_if_it_is(what: str, worse: View) -> None:
    assert chosen([worse, *arc()]) == MIDDLE, what


def test_a_blurred_photo_gives_way_to_its_sharp_neighbour() -> None:
    sharpness = {f"photo {i}": 100.0 for i in range(9)}
    assert chosen(arc(), sharpness) == MIDDLE
    assert chosen(arc(), sharpness | {MIDDLE: 30.0}) in {"photo 3", "photo 5"}


def test_more_detail_than_usual_is_no_merit() -> None:
    """A photo of fur or leaves has more detail than one of the whole subject."""
    sharpness = {f"photo {i}": 100.0 for i in range(9)}
    assert chosen(arc(), sharpness | {"photo 0": 5000.0}) == MIDDLE


def test_a_whole_subject_wins_over_every_other_merit() -> None:
    """All photos but one crop the subject; the other one is off the middle and a little soft."""
    views = [view(f"photo {i}", 8.0 * i, aside_deg=28) for i in range(8)]
    whole = view("whole", -30)
    sharpness = {v.name: 100.0 for v in views} | {"whole": 70.0}
    assert chosen([*views, whole], sharpness) == "whole"


def test_on_a_full_round_the_earlier_photo_wins_a_tie() -> None:
    round_ = [view(f"{turn}", turn) for turn in range(0, 360, 30)]
    first = merits_of(posed(*round_), {})[0]
    assert first.whole == 1.0
    assert first.off_centre < 0.05
    assert chosen([round_[0], view("same", 0.0)]) == "0"


def test_few_points_and_one_place_still_give_a_view() -> None:
    lonely = PosedPhotos(
        views=(view("a", 0), view("b", 0)),
        points=np.zeros((0, 3), np.float32),
        point_colours=np.zeros((0, 3), np.uint8),
    )
    assert start_view(lonely, {}).name == "a"
    assert start_view(posed(view("a", 0), view("b", 0)), {"a": 0.0, "b": 0.0}).name == "a"
