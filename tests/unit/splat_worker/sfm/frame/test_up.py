"""The up direction for known cameras and points: walls, orbits, drones, walks, photos held sideways, ceilings.
Silent failures: a scene on its back because its largest plane is a wall, a guess that is reported as a fact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from splat_worker.sfm.frame.evidence import Tags, Up
from splat_worker.sfm.frame.up import find_up
from tests.unit.splat_worker.sfm.frame.drawn_cameras import Draw, Scene, look, random_rotation, turned

SEEDS = 3
CLAIM_MAX_DEG = 5.0
UP = np.array([0.0, -1.0, 0.0])
Make = Callable[[Draw], Scene]


def found(make: Make, seed: int, tags: Callable[[np.ndarray], list[Tags]] | None = None) -> tuple[Up, float]:
    """Up in a rotated world, and how many degrees it is off."""
    scene = make(Draw(np.random.default_rng(seed)))
    rotation = random_rotation(seed)
    poses, points = turned(scene, rotation, 0.3 + seed, np.array([4.0, -2.0, 9.0]))
    up = find_up(poses, points, tags(scene[0]) if tags else ())
    return up, float(np.degrees(np.arccos(np.clip(up.direction @ (rotation @ UP), -1, 1))))


WALLS: dict[str, Make] = {
    f"a wall with {100 * share:.0f} % of the points, over {arc} degrees": (
        lambda draw, arc=arc, share=share: (draw.arc(16, arc), draw.before_wall(share))
    )
    for arc in (60, 90, 120, 180, 360)
    for share in (0.2, 0.5, 0.8, 1.0)
}
KNOWN: dict[str, Make] = {
    **WALLS,
    "a still life from all sides": lambda d: (
        d.arc(24, 360, height=1.5, target=0.2),
        np.concatenate([d.level(400), d.lump(400)]),
    ),
    "a table from a third of the circle, from high above": lambda d: (
        d.arc(16, 120, height=3.2, target=0.2),
        np.concatenate([d.level(400), d.lump(400)]),
    ),
    "a bust without a table": lambda d: (d.arc(24, 200, height=1.5, target=0.4), d.lump(800)),
    "a statue from below": lambda d: (d.arc(20, 140, height=0.3, target=1.5), d.lump(800) * [1, 3, 1]),
    "cameras pitched up and down by 30 degrees": lambda d: (
        d.arc(24, 120, pitch_spread_deg=30),
        d.before_wall(0.8),
    ),
    "a room from its middle": lambda d: (d.turning(24, 0), np.concatenate([d.facades(400), d.lump(400)])),
    "a ceiling, obliquely": lambda d: (d.turning(24, 60), d.level(700, half=4, height=3)),
    "a floor, obliquely": lambda d: (d.turning(24, -60), d.level(700, half=4)),
    "a drone around a house": lambda d: (
        d.arc(30, 360, height=3, target=0),
        np.concatenate([d.field(500), d.lump(300)]),
    ),
    "a drone around a house on a slope of 12 degrees": lambda d: (
        d.arc(30, 360, height=3, target=0),
        d.field(700, slope_deg=12),
    ),
    "an oblique drone with crossing strips": lambda d: (
        d.strips(24, headings_deg=(0, 90, 180, 270), pitch_deg=-60),
        d.field(700),
    ),
    "a walk along a street with a pavement": lambda d: (
        d.walk(20),
        np.concatenate([d.facades(400), d.level(400, half=5) + np.array([0, 0, 7])]),
    ),
    "a walk with the camera tilted down": lambda d: (
        d.walk(20, pitch_deg=-20),
        np.concatenate([d.facades(400), d.level(400, half=5) + np.array([0, 0, 7])]),
    ),
    "a row of photos of a table": lambda d: (
        d.row(11, height=0.8, target_height=0, distance=2.9),
        np.concatenate([d.level(400), d.lump(200)]),
    ),
    "a walk along a road with a slope beside it": lambda d: (
        d.walk(20),
        np.concatenate([d.level(500, half=5) + np.array([0, 0, 7]), d.field(200, slope_deg=6) + np.array([4, 0, 4])]),
    ),
    "a row of photos along a street, a little upwards": lambda d: (
        d.row(12, height=1.6, target_height=1.9, distance=5),
        np.concatenate([d.level(400, half=4), d.wall(300)]),
    ),
    "photos held sideways around a table": lambda d: (
        d.arc(24, 360, height=1.5, target=0.2, sideways_deg=90),
        np.concatenate([d.level(400), d.lump(400)]),
    ),
    "photos held sideways, the other way, from one side": lambda d: (
        d.arc(16, 120, height=1.8, target=0.2, sideways_deg=-90),
        np.concatenate([d.level(400), d.lump(400)]),
    ),
}
GUESSED: dict[str, Make] = {
    "a wall with 100 % of the points, over 20 degrees": lambda d: (d.arc(12, 20), d.before_wall(1.0)),
    "a wall from a row": lambda d: (d.row(12, height=1.5, target_height=1.4, distance=4), d.wall(700)),
    "a drone straight above a field": lambda d: (d.strips(24, headings_deg=(0, 180)), d.field(700)),
    "a drone straight above, with crossing strips": lambda d: (d.strips(24, headings_deg=(0, 90)), d.field(700)),
    "a floor, straight down": lambda d: (d.turning(24, -88), d.level(700, half=4)),
    "a table from one side, from 40 degrees above": lambda d: (
        d.row(11, height=2.0, target_height=0, distance=2.4),
        np.concatenate([d.level(400), d.lump(200)]),
    ),
    "a street of which only facades are seen": lambda d: (d.walk(20), d.facades(700)),
    "a walk with the camera pitched up and down by 30 degrees": lambda d: (
        d.walk(20, pitch_spread_deg=30),
        d.facades(700),
    ),
    "photos held sideways without a floor": lambda d: (
        d.arc(24, 360, height=1.8, target=0.2, sideways_deg=90),
        d.lump(800),
    ),
}


def fly_in(draw: Draw) -> Scene:
    """Along the view, down by 30 degrees: a walk on a path that is not level."""
    ahead = np.array([0, 0.5, 0.866])
    starts = [np.array([0, -6.0, -10]) + ahead * 0.5 * i + draw.rng.normal(0, 0.05, 3) for i in range(14)]
    return np.stack([look(c, c + ahead, draw.turn()) for c in starts]), draw.lump(700)


def lift(draw: Draw) -> Scene:
    """Level photos from a lift before a wall: for the cameras, a drone above the ground."""
    poses = [look(np.array([0, -0.5 * i, -4.0]), np.array([0, -0.5 * i, 0.0]), draw.turn()) for i in range(10)]
    return np.stack(poses), draw.wall(700) * [1, 3, 1]


def at_random(draw: Draw) -> Scene:
    """From all over a sphere, turned at random."""
    places = draw.rng.normal(size=(30, 3))
    places = 3 * places / np.linalg.norm(places, axis=1, keepdims=True)
    return np.stack([look(c, np.zeros(3), float(draw.rng.uniform(0, 360))) for c in places]), draw.lump(700)


SLANTED_BY_64_DEG = np.array([[1, 0, 0], [0, 0.9, 0.43], [0, -0.43, 0.9]])
OPEN: dict[str, Make] = {
    "a ceiling, straight up": lambda d: (d.turning(24, 88), d.level(700, half=4, height=3)),
    "a flight along the view": fly_in,
    "a lift before a wall": lift,
    "cameras turned at random": at_random,
    "one strip, flown sideways": lambda d: (d.strips(6, headings_deg=(0,)), d.field(700)),
    "photos held sideways in front of a wall": lambda d: (d.arc(16, 90, sideways_deg=90), d.wall(700)),
    "photos held sideways, from one side": lambda d: (d.arc(16, 30, height=1.8, sideways_deg=90), d.lump(700)),
    "photos held sideways below a ceiling": lambda d: (
        d.arc(12, 90, height=0.4, target=1.8, sideways_deg=90),
        np.concatenate([d.level(400, height=3), d.lump(200)]),
    ),
    "photos held sideways from nearly one place, pitched up and down": lambda d: (
        d.arc(20, 15, height=1.2, pitch_spread_deg=30, sideways_deg=90),
        d.before_wall(0.8),
    ),
    "a slanted wall that the cameras look along": lambda d: (
        d.arc(12, 15, height=4.0, target=0.4),
        np.concatenate([d.wall(400) @ SLANTED_BY_64_DEG, d.lump(200)]),
    ),
    "rolled by 12 degrees, on a short arc": lambda d: (Draw(d.rng, roll_deg=12).arc(12, 40), d.lump(700)),
}


@pytest.mark.parametrize("make", KNOWN.values(), ids=KNOWN)
def test_up_is_known_within_five_degrees(make: Make) -> None:
    for seed in range(SEEDS):
        up, off_deg = found(make, seed)
        assert up.known, f"{up.source}, {up.error_deg:.1f} degrees"
        assert off_deg < CLAIM_MAX_DEG


@pytest.mark.parametrize("make", GUESSED.values(), ids=GUESSED)
def test_the_usual_case_is_guessed_right_and_not_claimed(make: Make) -> None:
    for seed in range(SEEDS):
        up, off_deg = found(make, seed)
        assert not up.known, f"{up.source}, {up.error_deg:.1f} degrees"
        assert off_deg < CLAIM_MAX_DEG


@pytest.mark.parametrize("make", OPEN.values(), ids=OPEN)
def test_nothing_is_claimed_where_nothing_can_be_known(make: Make) -> None:
    for seed in range(SEEDS):
        assert not found(make, seed)[0].known


@pytest.mark.parametrize("roll_deg", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("arc_deg", [20, 30, 40, 60, 90, 150])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_claim_is_never_far_off_whatever_the_arc_the_roll_and_the_wall(
    arc_deg: int, roll_deg: float, share: float
) -> None:
    for seed in range(2):
        up, off_deg = found(
            lambda d: (Draw(d.rng, roll_deg=roll_deg).arc(12, arc_deg, pitch_spread_deg=10), d.before_wall(share)), seed
        )
        assert not up.known or off_deg < CLAIM_MAX_DEG, f"{off_deg:.1f} degrees off by {up.source}"


def sensors(poses: np.ndarray) -> list[Tags]:
    """What a phone's accelerometer measures in each photo, to 2 degrees."""
    rng = np.random.default_rng(1)
    downs = [pose[:3, :3] @ -UP + rng.normal(0, 0.035, 3) for pose in poses]
    return [Tags(down=tuple(map(float, down / np.linalg.norm(down)))) for down in downs]


def satellites(poses: np.ndarray, noise_m: float = 0.0, scale: float = 10.0) -> list[Tags]:
    """The cameras' places as tags: x to the east, z to the north, `scale` m for a unit."""
    rng = np.random.default_rng(2)
    centres = np.stack([-pose[:3, :3].T @ pose[:3, 3] for pose in poses]) * scale + rng.normal(
        0, noise_m, (len(poses), 3)
    )
    degree_m = 6_371_000 * np.pi / 180
    cosine = np.cos(np.radians(55.7))
    return [Tags(position=(55.7 + z / degree_m, 13.2 + x / degree_m / cosine, 400 - y)) for x, y, z in centres]


@pytest.mark.parametrize("make", OPEN.values(), ids=OPEN)
def test_the_sensors_of_phones_and_gimbals_settle_what_cameras_leave_open(make: Make) -> None:
    up, off_deg = found(make, 1, sensors)
    assert up.known
    assert off_deg < 2.5


@pytest.mark.parametrize("name", ["a drone straight above a field", "a drone straight above, with crossing strips"])
def test_positions_tell_a_flight_over_a_field_from_one_below_a_ceiling(name: str) -> None:
    up, off_deg = found(GUESSED[name], 1, lambda poses: satellites(poses, noise_m=1.0))
    assert up.known
    assert off_deg < 3.0


def test_positions_that_are_less_exact_than_the_path_is_wide_are_not_used() -> None:
    make = GUESSED["a drone straight above a field"]
    assert not found(make, 1, lambda poses: satellites(poses, noise_m=5.0, scale=1.0))[0].known


def test_sensors_that_contradict_each_other_are_not_used() -> None:
    rng = np.random.default_rng(3)

    def broken(poses: np.ndarray) -> list[Tags]:
        return [Tags(down=tuple(map(float, v / np.linalg.norm(v)))) for v in rng.normal(size=(len(poses), 3))]

    without, _ = found(KNOWN["a bust without a table"], 1)
    up, off_deg = found(KNOWN["a bust without a table"], 1, broken)
    assert (up.source, up.known) == (without.source, True)
    assert off_deg < CLAIM_MAX_DEG


def test_a_few_sensors_among_many_photos_are_not_used() -> None:
    up, _ = found(OPEN["a ceiling, straight up"], 1, lambda poses: [*sensors(poses)[:2], *[Tags()] * (len(poses) - 2)])
    assert not up.known
