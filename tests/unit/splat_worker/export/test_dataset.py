"""The posed photos as other programs read them: COLMAP's own reader, and nerfstudio's conventions by projection."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from plyfile import PlyData

from splat_worker.export.dataset import quaternion, write_dataset
from splat_worker.scene import PosedPhotos, View


def rotation(axis, turn):
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross


def view(name, axis, turn, *, width=40):
    draw = np.random.default_rng(3)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation(axis, turn), [0.1, -0.2, 3.0]
    k = np.array([[50.0, 0, 19.5], [0, 51.0, 15.25], [0, 0, 1]])
    image = draw.integers(0, 255, (30, width, 3), dtype=np.uint8)
    return View(name=name, image=image, world_to_camera=pose, k=k)


POSED = PosedPhotos(
    views=(
        view("a b.jpg", [0, 1, 0], 0.4),
        view("sub/ünïcode ☃.heic", [1, 0, 0], 3.1, width=44),
        view("a b.png", [0.3, 0.2, 1], 2.2),
    ),
    points=np.random.default_rng(1).normal(0, 0.3, (50, 3)).astype(np.float32),
    point_colours=np.random.default_rng(2).integers(0, 255, (50, 3), dtype=np.uint8),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    write_dataset(root / "dataset.zip", POSED)
    with zipfile.ZipFile(root / "dataset.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(root)
    return root


def test_colmap_reads_the_same_cameras_and_points(folder: Path) -> None:
    model = pycolmap.Reconstruction(folder / "sparse/0")
    assert len(model.images) == len(POSED.views)
    for number, want in enumerate(POSED.views, start=1):
        image = model.images[number]
        camera = model.cameras[image.camera_id]
        assert image.cam_from_world().matrix() == pytest.approx(want.world_to_camera[:3], abs=1e-6)
        assert camera.calibration_matrix() == pytest.approx(want.k, abs=1e-5)
        with Image.open(folder / "images" / image.name) as photo:
            assert photo.size == (camera.width, camera.height) == want.image.shape[1::-1]
    points = np.array([model.points3D[key].xyz for key in sorted(model.points3D)])
    assert points == pytest.approx(POSED.points, abs=1e-6)
    assert (np.array([model.points3D[key].color for key in sorted(model.points3D)]) == POSED.point_colours).all()


def test_nerfstudios_cameras_see_points_where_ours_do(folder: Path) -> None:
    """Its camera looks along -z with y up; a pixel is (cx + fx x / -z, cy - fy y / -z)."""
    content = json.loads((folder / "transforms.json").read_text())
    cloud = PlyData.read(folder / content["ply_file_path"])["vertex"]
    points = np.stack([cloud["x"], cloud["y"], cloud["z"]], axis=1)
    assert points == pytest.approx(POSED.points)
    assert (np.stack([cloud["red"], cloud["green"], cloud["blue"]], axis=1) == POSED.point_colours).all()
    for frame, want in zip(content["frames"], POSED.views, strict=True):
        assert (folder / frame["file_path"]).is_file()
        inverse = np.linalg.inv(np.array(frame["transform_matrix"]))
        x, y, z = (points @ inverse[:3, :3].T + inverse[:3, 3]).T
        theirs = np.stack([frame["cx"] - frame["fl_x"] * x / z, frame["cy"] + frame["fl_y"] * y / z], axis=1)
        ours = (points @ want.world_to_camera[:3, :3].T + want.world_to_camera[:3, 3]) @ want.k.T
        assert theirs == pytest.approx(ours[:, :2] / ours[:, 2:], rel=1e-5, abs=1e-4)


def test_names_are_plain_and_differ(folder: Path) -> None:
    names = sorted(path.name for path in (folder / "images").iterdir())
    assert names == ["0001_a-b.jpg", "0002_-n-code--.jpg", "0003_a-b.jpg"]


@settings(deadline=None, max_examples=200)
@given(
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 0.01),
    turn=st.floats(-2 * np.pi, 2 * np.pi),
)
def test_a_quaternion_is_the_rotation_that_it_was_made_of(axis, turn) -> None:
    want = rotation(axis, turn)
    w, x, y, z = quaternion(want)
    assert pycolmap.Rotation3d(np.array([x, y, z, w])).matrix() == pytest.approx(want, abs=1e-9)
    assert w >= 0
