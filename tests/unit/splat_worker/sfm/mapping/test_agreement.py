"""The epipolar measure on cameras whose truth is known: exact matches, noise of a known size, a wrong pose."""

from __future__ import annotations

import numpy as np

from splat_worker.sfm.mapping.agreement import sampson

FOCAL_PX = 600.0


def scene(*, noise_px: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays of 400 points seen by two cameras half a unit apart, turned by 10 degrees, and the relative pose."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1, -1, 3], [1, 1, 6], (400, 3))
    angle = np.radians(10)
    rotation = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    pose = np.column_stack([rotation, [-0.5, 0.02, 0.1]])
    moved = points @ rotation.T + pose[:, 3]
    rays_a, rays_b = points / points[:, 2:], moved / moved[:, 2:]
    for rays in (rays_a, rays_b):
        rays[:, :2] += rng.normal(0, noise_px / FOCAL_PX, (400, 2))
    return rays_a, rays_b, pose


def test_exact_matches_lie_on_their_epipolar_lines() -> None:
    assert sampson(*scene()).max() * FOCAL_PX < 1e-9


def test_noise_shows_with_its_own_size() -> None:
    # The Sampson distance sees the part of the noise across the epipolar line, of both points together.
    error = sampson(*scene(noise_px=2.0)) * FOCAL_PX
    assert 1.0 < np.sqrt(np.mean(error**2)) < 3.0


def test_a_pose_turned_by_ten_degrees_is_contradicted_by_most_matches() -> None:
    rays_a, rays_b, pose = scene(noise_px=0.5)
    angle = np.radians(10)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    wrong = np.column_stack([turn @ pose[:, :3], pose[:, 3]])
    assert np.mean(sampson(rays_a, rays_b, pose) * FOCAL_PX < 4) > 0.99
    assert np.mean(sampson(rays_a, rays_b, wrong) * FOCAL_PX < 4) < 0.3


def test_cameras_in_one_place_give_a_number_and_no_warning() -> None:
    rays_a, rays_b, pose = scene()
    still = np.column_stack([pose[:, :3], np.zeros(3)])
    assert np.isfinite(sampson(rays_a, rays_b, still)).all()
