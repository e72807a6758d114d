"""The drawn sets of the benchmark beside the path: depth, mip levels, points, and what photos show."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[4]))

from bench.off_path.photo_sets import sparse_points
from bench.off_path.raster import EDGE_MAX_M, photo, solid
from samples.render.things.meshes import panel
from samples.render.things.parts import Part, plain
from splat_worker.scene import Camera

SKY = np.array([0.2, 0.4, 0.8])


def sky(directions):
    return np.broadcast_to(SKY, directions.shape)


def camera(x: float = 0.0) -> Camera:
    """64 x 48 px, 90 degrees wide, at (x, 0, 0), looking along +z."""
    pose = np.eye(4)
    pose[0, 3] = -x
    return Camera(world_to_camera=pose, k=np.array([[32.0, 0, 32], [0, 32.0, 24], [0, 0, 1]]), width=64, height=48)


def sheet(z: float, size: float, *colour: float) -> Part:
    """A square at this depth, facing the camera."""
    mesh = panel([-size, -size, z], [0, 2 * size, 0], [2 * size, 0, 0])
    return Part(name=f"sheet_{z}", mesh=mesh, texture=plain(*colour))


def test_the_nearer_surface_hides_the_farther_and_the_sky_shows_beside_both():
    scene = solid([sheet(4.0, 2.0, 1.0, 0.0, 0.0), sheet(2.0, 0.3, 0.0, 1.0, 0.0)])
    image, depth = photo(scene, camera(), sky)
    assert depth[24, 32] == pytest.approx(2.0)
    assert depth[24, 20] == pytest.approx(4.0)
    assert depth[24, 2] == 0.0
    assert image[24, 32].argmax() == 1
    assert image[24, 20].argmax() == 0
    assert image[24, 2] == pytest.approx(SKY * 255, abs=1)


def test_large_triangles_are_split_so_that_a_floor_below_the_camera_is_drawn():
    floor = panel([-5, 1, -5], [10, 0, 0], [0, 0, 10])
    scene = solid([Part(name="floor", mesh=floor, texture=plain(0.5))])
    corners = scene.points[scene.faces]
    assert np.linalg.norm(corners[:, [1, 2, 0]] - corners, axis=2).max() <= EDGE_MAX_M
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    assert areas.sum() == pytest.approx(100.0)
    _, depth = photo(scene, camera(), sky)
    assert depth[47, 32] == pytest.approx(32 / 23.5, rel=0.05)


def test_a_texture_finer_than_the_samples_is_averaged():
    board = (np.indices((512, 512)).sum(0) % 2)[..., None].repeat(3, 2).astype(np.float32)
    part = Part(name="board", mesh=sheet(2.0, 2.0, 1.0).mesh, texture=board)
    image, _ = photo(solid([part]), camera(), sky)
    grey, _ = photo(solid([sheet(2.0, 2.0, 0.5)]), camera(), sky)
    assert np.abs(image[10:40, 10:50].astype(int) - grey[10:40, 10:50]).max() <= 4


def test_sparse_points_lie_near_surfaces_that_three_photos_show():
    rng = np.random.default_rng(0)
    part = Part(name="wall", mesh=sheet(3.0, 2.0, 1.0).mesh, texture=rng.random((64, 64, 3)).astype(np.float32))
    cameras = [camera(x) for x in (-0.4, 0.0, 0.4, 40.0)]
    images, depths = (np.stack(parts) for parts in zip(*(photo(solid([part]), c, sky) for c in cameras), strict=True))
    points, colours = sparse_points(images, depths, cameras)
    assert len(points) == len(colours) > 100
    assert np.abs(points[:, 2] - 3.0).max() < 1.0
    assert np.median(np.abs(points[:, 2] - 3.0)) < 0.15
    assert len(sparse_points(images[1:], depths[1:], cameras[1:])[0]) == 0
