"""Each fault of a model and of a camera, made in an orbit whose cameras are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from splat_worker.sfm.mapping.agreement import Agreement
from splat_worker.sfm.mapping.evidence import Evidence
from splat_worker.sfm.mapping.judge import (
    Fault,
    Misplaced,
    judge,
    lens_fits,
    viewing_angles_deg,
    without,
)
from splat_worker.sfm.mapping.level import off_level, rolls_deg

COUNT, POINTS = 12, 150


def look_at_origin(centre: np.ndarray) -> np.ndarray:
    forward = -centre / np.linalg.norm(centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return np.column_stack([rotation, -rotation @ centre])


def orbit(*, error_px: float = 0.4) -> Evidence:
    """Twelve level cameras on a circle of radius 3 around 150 points, each seen by all."""
    azimuth = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
    poses = np.stack([look_at_origin(np.array([3 * np.sin(a), -1.0, 3 * np.cos(a)])) for a in azimuth])
    points = np.random.default_rng(4).uniform(-0.6, 0.6, (POINTS, 3))
    of_photo, of_point = (grid.ravel() for grid in np.mgrid[:COUNT, :POINTS])
    local = np.einsum("oij,oj->oi", poses[of_photo, :, :3], points[of_point]) + poses[of_photo, :, 3]
    names = tuple(f"{i:02d}.jpg" for i in range(COUNT))
    return Evidence(
        names=names,
        poses=poses,
        sides_px=np.full(COUNT, 1000.0),
        focals_px=np.full(COUNT, 1100.0),
        k1s=np.full(COUNT, -0.02),
        corners=np.full(COUNT, 0.57),
        points=points,
        of_photo=of_photo,
        of_point=of_point,
        depths=local[:, 2],
        errors_px=np.full(len(of_photo), error_px),
        pairs=tuple(
            Agreement(first=names[i], second=names[j], matches=60, explained=0.97)
            for i in range(COUNT)
            for j in range(i + 1, COUNT)
        ),
    )


def explained(evidence: Evidence, share: Callable[[int, int], float]) -> Evidence:
    row = {name: i for i, name in enumerate(evidence.names)}
    return replace(
        evidence, pairs=tuple(replace(p, explained=share(row[p.first], row[p.second])) for p in evidence.pairs)
    )


def at(evidence: Evidence, photo: int, **values: float) -> Evidence:
    """The evidence with other values in one photo."""
    changed = {}
    for key, value in values.items():
        array = getattr(evidence, key).copy()
        array[evidence.of_photo == photo if len(array) == len(evidence.of_photo) else photo] = value
        changed[key] = array
    return replace(evidence, **changed)


def one_spot(evidence: Evidence) -> Evidence:
    rotation = evidence.poses[:, :, :3]
    centres = np.random.default_rng(0).normal(0, 0.002, (COUNT, 3))
    poses = np.concatenate([rotation, -np.einsum("nij,nj->ni", rotation, centres)[:, :, None]], axis=2)
    return replace(evidence, poses=poses, depths=np.full_like(evidence.depths, 3.0))


def rolled(evidence: Evidence) -> Evidence:
    """Every camera is turned about its own axis by another angle, and its axis leaves the level."""
    rng = np.random.default_rng(1)
    poses = evidence.poses.copy()
    for i in range(COUNT):
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        q *= np.sign(np.linalg.det(q))
        poses[i] = q @ poses[i]
    return replace(evidence, poses=poses)


def roll(evidence: Evidence, photo: int, deg: float) -> Evidence:
    """One camera is turned about its line of sight."""
    poses = evidence.poses.copy()
    c, s = np.cos(np.radians(deg)), np.sin(np.radians(deg))
    poses[photo] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ poses[photo]
    return replace(evidence, poses=poses)


def in_doubt(evidence: Evidence, photo: int, share: float = 0.6) -> Evidence:
    return explained(evidence, lambda i, j: share if photo in {i, j} else 0.97)


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        pytest.param(lambda e: e, None, id="a right model"),
        pytest.param(lambda e: without(e, dict.fromkeys(e.names[2:])), Fault.NO_DEPTH, id="two cameras"),
        pytest.param(
            lambda e: replace(
                e,
                points=np.zeros((0, 3)),
                **{k: getattr(e, k)[:0] for k in ("of_photo", "of_point", "depths", "errors_px")},
            ),
            Fault.NO_DEPTH,
            id="no points",
        ),
        pytest.param(one_spot, Fault.NO_DEPTH, id="cameras on one point"),
        pytest.param(lambda e: replace(e, errors_px=e.errors_px * 4), Fault.COARSE, id="a coarse fit"),
        pytest.param(lambda e: replace(e, focals_px=np.full(COUNT, 5500.0)), Fault.LENS, id="focal too long"),
        pytest.param(lambda e: replace(e, focals_px=np.full(COUNT, 250.0)), Fault.LENS, id="focal too short"),
        pytest.param(lambda e: replace(e, k1s=np.full(COUNT, -0.77)), Fault.LENS, id="k1 of -0.77"),
        pytest.param(lambda e: explained(e, lambda i, j: 0.8), Fault.CONTRADICTED, id="a fifth contradicts"),
        pytest.param(lambda e: explained(e, lambda i, j: 0.3), Fault.CONTRADICTED, id="all photos contradict"),
        pytest.param(
            lambda e: explained(rolled(e), lambda i, j: 0.88), Fault.FOLDED, id="cameras in all directions, with doubt"
        ),
        pytest.param(rolled, None, id="cameras in all directions, as the photographer held them"),
        pytest.param(lambda e: explained(e, lambda i, j: 0.88), None, id="level cameras with as much doubt"),
        pytest.param(lambda e: roll(e, 3, 45), None, id="one camera held aslant, as its matches say"),
        pytest.param(lambda e: roll(e, 3, 90), None, id="one photo held sideways"),
        pytest.param(lambda e: in_doubt(e, 3), None, id="one level camera in doubt"),
        pytest.param(lambda e: in_doubt(roll(e, 3, 15), 3), None, id="one camera in doubt, held as level as by hand"),
        pytest.param(lambda e: in_doubt(roll(e, 3, 90), 3), None, id="one photo held sideways in doubt"),
    ],
)
def test_a_model_is_refused_for_its_fault(harm: Callable[[Evidence], Evidence], fault: Fault | None) -> None:
    verdict = judge(harm(orbit()), photos_min=5)
    assert verdict.fault is fault
    assert not verdict.misplaced


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        pytest.param(
            lambda e: explained(e, lambda i, j: 0.2 if 3 in {i, j} else 0.97), Misplaced.CONTRADICTED, id="contradicted"
        ),
        pytest.param(lambda e: in_doubt(roll(e, 3, 42), 3), Misplaced.ROLLED, id="rolled and in doubt"),
        pytest.param(lambda e: in_doubt(roll(e, 3, -135), 3), Misplaced.ROLLED, id="upside down, aslant and in doubt"),
        pytest.param(lambda e: at(e, 3, errors_px=3.0), Misplaced.COARSE, id="coarse"),
        pytest.param(lambda e: at(e, 3, depths=-1.0), Misplaced.DEPTH, id="points behind it"),
        pytest.param(lambda e: at(e, 3, depths=0.004), Misplaced.DEPTH, id="among the points"),
        pytest.param(lambda e: at(e, 3, depths=400.0), Misplaced.DEPTH, id="far outside"),
        pytest.param(lambda e: at(e, 3, focals_px=9000.0), Misplaced.LENS, id="no real lens"),
        pytest.param(
            lambda e: replace(
                e,
                **{
                    key: getattr(e, key)[(e.of_photo != 3) | (e.of_point < 5)]
                    for key in ("of_photo", "of_point", "depths", "errors_px")
                },
            ),
            Misplaced.FEW_POINTS,
            id="five points",
        ),
    ],
)
def test_one_wrong_camera_is_taken_out_with_its_reason(harm: Callable[[Evidence], Evidence], reason: Misplaced) -> None:
    verdict = judge(harm(orbit()), photos_min=5)
    assert verdict.fault is None
    assert verdict.misplaced == {"03.jpg": reason}


def test_a_folded_third_is_taken_out_and_the_sound_part_stays() -> None:
    folded = {8, 9, 10, 11}
    evidence = explained(orbit(), lambda i, j: 0.97 if (i in folded) == (j in folded) else 0.05)
    verdict = judge(evidence, photos_min=5)
    assert verdict.fault is None
    assert set(verdict.misplaced) == {f"{i:02d}.jpg" for i in folded}


def test_half_a_scene_against_the_other_half_is_no_scene() -> None:
    evidence = explained(orbit(), lambda i, j: 0.97 if i // 6 == j // 6 else 0.0)
    verdict = judge(evidence, photos_min=8)
    assert verdict.fault is Fault.CONTRADICTED
    assert not verdict.misplaced


def test_a_camera_far_from_its_gps_position_is_taken_out() -> None:
    evidence = orbit()
    metres = {name: tuple(20.0 * c) for name, c in zip(evidence.names, evidence.centres, strict=True)}
    assert not judge(evidence, metres, photos_min=5).misplaced
    east, north, up = metres["05.jpg"]
    metres["05.jpg"] = (east + 150, north, up)
    assert judge(evidence, metres, photos_min=5).misplaced == {"05.jpg": Misplaced.POSITION}


def test_the_viewing_angle_of_a_point_in_the_middle_of_an_orbit_is_wide() -> None:
    assert np.median(viewing_angles_deg(orbit())) > 90


@pytest.mark.parametrize(
    ("focal_of_side", "k1", "fits"),
    [
        (0.31, 0.0, True),
        (0.29, 0.0, False),
        (4.9, 0.0, True),
        (5.1, 0.0, False),
        (0.6, -0.3, True),
        (1.1, -0.2, True),
        (1.1, -0.77, False),
        (1.1, 0.77, False),
        (4.0, 0.77, True),
    ],
)
def test_the_bounds_of_a_lens(focal_of_side: float, k1: float, fits: bool) -> None:
    focal = np.full(COUNT, 1000.0 * focal_of_side)
    evidence = replace(orbit(), focals_px=focal, k1s=np.full(COUNT, k1), corners=625.0 / focal)
    assert lens_fits(evidence).all() == fits


def test_level_cameras_and_photos_held_sideways_are_level() -> None:
    evidence = orbit()
    assert off_level(evidence.poses) < 1e-6
    sideways = evidence.poses.copy()
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    sideways[::3] = quarter @ sideways[::3]
    assert off_level(sideways) < 1e-6
    assert off_level(rolled(evidence).poses) > 0.2


def test_the_roll_of_one_camera_does_not_move_the_level_of_the_others() -> None:
    rolls = rolls_deg(roll(orbit(), 3, 42).poses)
    assert rolls[3] == pytest.approx(42, abs=3)
    assert np.delete(rolls, 3).max() < 3


def test_one_rolled_camera_among_cameras_that_look_the_same_way_is_not_judged_by_its_roll() -> None:
    same = replace(orbit(), poses=np.repeat(orbit().poses[:1], COUNT, axis=0))
    assert rolls_deg(same.poses).max() < 1
    assert rolls_deg(roll(same, 3, 42).poses).max() < 1
