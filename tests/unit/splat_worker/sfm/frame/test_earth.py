"""Real size and place by position tags: exact where these are, robust against wrong ones, silent where they are noise.
Silent failures: a scene that claims a size which its photos do not tell, a mirrored map, metres that are feet."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.sfm.frame.earth import Earth, ecef_of, find_earth

ORIGIN = (47.3769, 8.5417, 430.0)
METRES_PER_UNIT, HEADING_DEG = 6.5, 140.0
WGS84_A, WGS84_E2 = 6_378_137.0, 0.00669437999014


def ecef(latitude: float, longitude: float, altitude: float) -> np.ndarray:
    p, m = np.radians(latitude), np.radians(longitude)
    n = WGS84_A / np.sqrt(1 - WGS84_E2 * np.sin(p) ** 2)
    level = (n + altitude) * np.cos(p)
    return np.array([level * np.cos(m), level * np.sin(m), (n * (1 - WGS84_E2) + altitude) * np.sin(p)])


def degrees_of(east: float, north: float, origin: tuple[float, float, float]) -> tuple[float, float]:
    """By the radii of curvature at the origin: within mm for some 100 m."""
    p = np.radians(origin[0])
    n = WGS84_A / np.sqrt(1 - WGS84_E2 * np.sin(p) ** 2)
    m = WGS84_A * (1 - WGS84_E2) / (1 - WGS84_E2 * np.sin(p) ** 2) ** 1.5
    return origin[0] + np.degrees(north / m), origin[1] + np.degrees(east / (n * np.cos(p)))


def orbit(count: int = 24, radius: float = 4.0, seed: int = 0) -> np.ndarray:
    """(N, 3) cameras around the origin of a scene, y down, some units above it."""
    rng = np.random.default_rng(seed)
    around = 2 * np.pi * np.arange(count) / count
    heights = -2.0 + 0.5 * rng.standard_normal(count)
    return np.column_stack([radius * np.sin(around), heights, radius * np.cos(around)])


def tags_of(
    centres: np.ndarray, *, noise_m: float = 0.0, seed: int = 1, origin: tuple[float, float, float] = ORIGIN
) -> list[tuple[float, float, float] | None]:
    """Seen from above, x turns to the heading: z ahead is the compass direction HEADING_DEG."""
    rng, turn = np.random.default_rng(seed), np.radians(HEADING_DEG)
    out: list[tuple[float, float, float] | None] = []
    for x, y, z in METRES_PER_UNIT * centres:
        north, east = z * np.cos(turn) - x * np.sin(turn), z * np.sin(turn) + x * np.cos(turn)
        east, north = np.array([east, north]) + noise_m * rng.standard_normal(2)
        out.append((*degrees_of(east, north, origin), origin[2] - y))
    return out


def found(centres: np.ndarray, tags: list[tuple[float, float, float] | None]) -> Earth:
    earth = find_earth(centres, tags)
    assert earth is not None
    return earth


@pytest.mark.parametrize("origin", [ORIGIN, (-33.86, 151.21, 20.0), (64.1, -21.9, 5.0), (-16.5, 179.99995, 9.0)])
def test_exact_positions_give_size_north_and_place(origin) -> None:
    centres = orbit()
    earth = found(centres, tags_of(centres, origin=origin))
    assert earth.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=1e-4)
    assert (earth.used, earth.given) == (24, 24)
    assert earth.off_m < 0.01
    ahead = earth.scene_to_enu[:3, :3] @ (0, 0, 1) / METRES_PER_UNIT
    turn = np.radians(HEADING_DEG)
    assert ahead == pytest.approx((np.sin(turn), np.cos(turn), 0), abs=1e-3)
    assert earth.scene_to_enu[:3, :3] @ (0, -1, 0) == pytest.approx((0, 0, METRES_PER_UNIT), abs=1e-3)
    assert np.linalg.det(earth.scene_to_enu[:3, :3]) > 0, "not mirrored"
    assert earth.origin == pytest.approx(origin, abs=1e-6)


def test_the_transform_to_the_earth_puts_each_camera_at_its_position() -> None:
    centres = orbit()
    tags = tags_of(centres)
    to_earth = ecef_of(found(centres, tags))
    for centre, tag in zip(centres, tags, strict=True):
        assert tag is not None
        assert (to_earth @ (*centre, 1))[:3] == pytest.approx(ecef(*tag), abs=0.02)


@pytest.mark.parametrize("noise_m", [0.5, 1.5])
def test_noise_shows_in_the_error_and_the_size_stays_within_three_of_it(noise_m) -> None:
    centres, errors = orbit(count=40), []
    for seed in range(20):
        earth = found(centres, tags_of(centres, noise_m=noise_m, seed=seed))
        assert earth.off_m == pytest.approx(noise_m * 2**0.5, rel=0.35)
        errors.append((earth.metres_per_unit / METRES_PER_UNIT - 1) / earth.error)
    assert np.abs(errors).max() < 3.5
    assert np.std(errors) > 0.4, "the error is no exaggeration"


def test_wrong_positions_are_left_out_and_counted() -> None:
    centres = orbit()
    tags = tags_of(centres, noise_m=0.3)
    for i, (latitude, longitude) in enumerate([(47.39, 8.54), (47.38, 8.55), (0.5, 0.5), (47.3769, 8.5427)]):
        tags[5 * i] = (latitude, longitude, 0.0)
    tags[1] = None
    earth = found(centres, tags)
    assert 17 <= earth.used <= 19
    assert earth.given == 23
    assert earth.metres_per_unit == pytest.approx(METRES_PER_UNIT, rel=0.02)


def test_altitudes_change_only_the_altitude_of_the_place() -> None:
    centres = orbit()
    good = tags_of(centres)
    wild = [(t[0], t[1], 430.0 + 60.0 * (i % 3)) for i, t in enumerate(good) if t is not None]
    none = [(t[0], t[1], 0.0) for t in good if t is not None]
    assert found(centres, wild).metres_per_unit == pytest.approx(found(centres, good).metres_per_unit, rel=1e-3)
    assert found(centres, none).origin[2] is None


@pytest.mark.parametrize(
    ("centres", "noise_m"),
    [
        pytest.param(orbit(radius=0.25), 3.0, id="around a teapot"),
        pytest.param(orbit(count=3), 0.0, id="three photos"),
        pytest.param(np.repeat(orbit(count=1), 12, axis=0), 0.0, id="from one spot"),
    ],
)
def test_positions_that_say_nothing_give_no_size(centres, noise_m) -> None:
    assert find_earth(centres, tags_of(centres, noise_m=noise_m)) is None


def test_one_position_for_all_photos_or_unrelated_ones_give_no_size() -> None:
    rng = np.random.default_rng(3)
    assert find_earth(orbit(), [ORIGIN] * 24) is None
    unrelated = [(47.0 + 0.01 * rng.random(), 8.0 + 0.01 * rng.random(), 400.0) for _ in range(24)]
    assert find_earth(orbit(), unrelated) is None
