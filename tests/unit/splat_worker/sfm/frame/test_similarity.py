"""The frame for known cameras and points: where up comes from, the middle, the size, and rotated worlds.
Silent failure: a scene that lies on its side in every viewer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splat_worker.sfm.frame.evidence import Tags, UpFrom
from splat_worker.sfm.frame.similarity import find_frame, transform
from splat_worker.sfm.frame.up import find_up
from splat_worker.sfm.sparse import SparseCamera, SparseModel
from tests.unit.splat_worker.sfm.frame.drawn_cameras import Scene, look, random_rotation, turned

RNG = np.random.default_rng(5)


def table(n: int = 600, size: float = 1.5) -> np.ndarray:
    return np.column_stack([RNG.uniform(-size, size, n), RNG.normal(0, 0.004, n), RNG.uniform(-size, size, n)])


def blob(n: int = 600, radius: float = 0.5) -> np.ndarray:
    return RNG.normal(0, radius / 2, (n, 3)) - [0, radius, 0]


def orbit(n: int, *, arc_deg: float, up_deg: float, roll_deg: float = 2.0) -> np.ndarray:
    out = []
    for i in range(n):
        a, h = np.radians(arc_deg * i / n), np.radians(up_deg)
        centre = 3 * np.array([np.sin(a) * np.cos(h), -np.sin(h), -np.cos(a) * np.cos(h)])
        out.append(look(centre, np.array([0, -0.2, 0]), RNG.normal(0, roll_deg)))
    return np.stack(out)


def still_life(arc_deg: float) -> Scene:
    return orbit(24, arc_deg=arc_deg, up_deg=30), np.concatenate([table(), blob()])


def bust_without_table() -> Scene:
    return orbit(24, arc_deg=200, up_deg=10), blob(1200)


def table_from_one_side() -> Scene:
    """Parallel photos that look down by 40 degrees: the cameras' own up tilts by as much."""
    poses = [look(np.array([0.2 * i - 1, -2.0, -2.4]), np.array([0.2 * i - 1, 0.0, 0.0])) for i in range(11)]
    return np.stack(poses), np.concatenate([table(), blob(300)])


def street() -> Scene:
    """Forward walk between two facades: the largest planes are walls."""
    poses = []
    for i in range(20):
        centre, target = [RNG.normal(0, 0.05), -1.6, 0.7 * i], [0.4 * np.sin(i), -1.5, 0.7 * i + 8.0]
        poses.append(look(np.array(centre), np.array(target), RNG.normal(0, 1.5)))
    walls = [np.column_stack([np.full(700, x), RNG.uniform(-6, 0, 700), RNG.uniform(0, 25, 700)]) for x in (-5.0, 5.0)]
    return np.stack(poses), np.concatenate(walls)


def aeroplane() -> Scene:
    """Strips flown there and back, camera straight down with some wobble; roofs rise above the ground."""
    poses = []
    for i in range(24):
        centre = np.array([(i % 6) * 2.0, -10.0, (i // 6) * 2.0])
        wobble = RNG.normal(0, 0.4, 3) * [1, 0, 1]
        poses.append(
            look(centre, centre + np.array([0.0, 10.0, 0.0]) + wobble, 180.0 * ((i // 6) % 2) + RNG.normal(0, 4))
        )
    ground = np.column_stack([RNG.uniform(-4, 14, 900), RNG.normal(0, 0.03, 900), RNG.uniform(-4, 10, 900)])
    roofs = np.column_stack([RNG.uniform(2, 5, 120), RNG.uniform(-1, 0, 120), RNG.uniform(2, 4, 120)])
    return np.stack(poses), np.concatenate([ground, roofs])


def tripod_pan() -> Scene:
    """Level photos in one direction: all x axes are parallel."""
    poses = [look(np.array([0.3 * i, -1.5, 0.0]), np.array([0.3 * i, -1.2, 5.0])) for i in range(12)]
    return np.stack(poses), RNG.normal([1.5, -1.0, 5.0], 1.0, (800, 3))


SCENES: list[tuple[str, Callable[[], Scene], UpFrom, float]] = [
    ("a still life from all sides", lambda: still_life(360), UpFrom.PLANE, 1.0),
    ("a still life from one side", lambda: still_life(120), UpFrom.PLANE, 1.0),
    ("a bust with no table", bust_without_table, UpFrom.LEVEL_CAMERAS, 4.0),
    ("a street with walls", street, UpFrom.PATH, 3.0),
    ("a table seen from one side only", table_from_one_side, UpFrom.PLANE, 1.0),
    ("a field from an aeroplane", aeroplane, UpFrom.STRAIGHT_DOWN, 1.0),
    ("a row of parallel photos", tripod_pan, UpFrom.MEAN_CAMERA, 5.0),
]


def model_of(scene: Scene) -> SparseModel:
    poses, points = scene
    cameras = tuple(
        SparseCamera(
            name=f"{i}", world_to_camera=pose, width=640, height=480, focal_px=600, cx=320, cy=240, k1=0, seen=9
        )
        for i, pose in enumerate(poses)
    )
    return SparseModel(
        cameras=cameras, points=points.astype(np.float32), colours=np.zeros((len(points), 3), np.uint8),
        tracks=np.full(len(points), 3, np.int32), reprojection_error_px=0.5, rung="default", matching="exhaustive",
        tried={}, rejected=(),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("make", "up_from", "tolerance_deg"), [s[1:] for s in SCENES], ids=[s[0] for s in SCENES])
def test_up_is_found_in_any_rotated_world(
    make: Callable[[], Scene], up_from: UpFrom, tolerance_deg: float, seed: int
) -> None:
    rotation = random_rotation(seed)
    poses, points = turned(make(), rotation, 0.3 + seed, np.array([4.0, -2.0, 9.0]))
    up = find_up(poses, points)
    off_deg = np.degrees(np.arccos(np.clip(up.direction @ (rotation @ [0, -1, 0]), -1, 1)))
    assert off_deg < tolerance_deg
    assert up.source is up_from


@pytest.mark.parametrize("make", [s[1] for s in SCENES], ids=[s[0] for s in SCENES])
def test_a_transformed_scene_is_centred_upright_and_of_unit_size_with_cameras_above_it(
    make: Callable[[], Scene],
) -> None:
    model = model_of(turned(make(), random_rotation(9), 7.0, np.array([1.0, 2.0, 3.0])))
    placed = find_frame(model)
    standing = transform(model, placed)
    assert np.linalg.det(placed.rotation) == pytest.approx(1.0)
    assert np.percentile(np.linalg.norm(standing.points, axis=1), 80) == pytest.approx(1.0, rel=0.35)
    downs = np.stack([camera.world_to_camera[1, :3] for camera in standing.cameras])
    assert (downs[:, 1] > -0.2).all(), "no camera is upside down"
    back = np.linalg.inv(placed.matrix()) @ np.append(standing.points[0], 1)
    assert back[:3] == pytest.approx(model.points[0], abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 50))
def test_the_transform_changes_no_pixel(seed: int, scale: float) -> None:
    model = model_of(turned(still_life(360), random_rotation(seed), scale, np.array([5.0, 5.0, 5.0])))
    standing = transform(model, find_frame(model))
    for before, after in zip(model.cameras[::6], standing.cameras[::6], strict=True):
        old = model.points @ before.world_to_camera[:3, :3].T + before.world_to_camera[:3, 3]
        new = standing.points @ after.world_to_camera[:3, :3].T + after.world_to_camera[:3, 3]
        assert old[:, :2] / old[:, 2:] == pytest.approx(new[:, :2] / new[:, 2:], abs=2e-3)


def test_few_or_degenerate_points_still_give_a_frame() -> None:
    poses, _ = still_life(360)
    for points in (
        np.zeros((0, 3)),
        np.zeros((60, 3)),
        RNG.normal(size=(5, 3)),
        np.repeat(RNG.normal(size=(1, 3)), 80, 0),
    ):
        placed = find_frame(model_of((poses, points)))
        assert np.isfinite(placed.matrix()).all()


def test_tags_are_matched_to_cameras_by_name() -> None:
    """Only half of the photos have tags, and the model holds the cameras in another order."""
    scene = aeroplane()
    model = model_of(scene)
    tags = {
        camera.name: Tags(down=tuple(camera.world_to_camera[:3, :3] @ [0, 1, 0]))
        for camera in reversed(model.cameras[::2])
    }
    assert find_frame(model, tags | {"left out.jpg": Tags(down=(1.0, 0.0, 0.0))}).up.source is UpFrom.GRAVITY
    assert not find_frame(model).up.known
