"""The subject's box by what most cameras look at, and what is left of a scene inside it.
Silent failures: a box around the far background, one that cuts the subject, a fade over the subject itself."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.export.ground import Ground
from splat_worker.export.subject import Subject, find_subject
from splat_worker.scene import Gaussians, PosedPhotos, View

HALF = np.array([0.55, 0.4, 0.9])


def looking(centre: np.ndarray, target: np.ndarray) -> View:
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ centre
    k = np.array([[70.0, 0, 48], [0, 70.0, 32], [0, 0, 1]])
    return View(name=f"{centre}", image=np.zeros((64, 96, 3), np.uint8), world_to_camera=pose, k=k)


def room(*, arc_deg: float = 360.0, seed: int = 0) -> tuple[PosedPhotos, np.ndarray]:
    """Cameras around a block, with a room and things far behind it; and which points are the block's."""
    rng = np.random.default_rng(seed)
    angles = np.radians(np.linspace(0, arc_deg, 24, endpoint=arc_deg < 360))
    views = tuple(
        looking(np.array([3.2 * np.sin(a), -1.2 + 0.5 * (i % 2), -3.2 * np.cos(a)]), 0.1 * rng.standard_normal(3))
        for i, a in enumerate(angles)
    )
    turn = np.radians(30)
    axes = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    block = rng.uniform(-1, 1, (1500, 3)) * HALF @ axes.T
    walls = rng.uniform(-1, 1, (3000, 3))
    walls[np.arange(3000), rng.integers(0, 3, 3000)] = rng.choice([-1.0, 1.0], 3000)
    walls = walls * 7.0
    stray = rng.normal(0, 12, (200, 3))
    points = np.concatenate([block, walls, stray]).astype(np.float32)
    posed = PosedPhotos(views=views, points=points, point_colours=np.zeros((len(points), 3), np.uint8))
    return posed, np.arange(len(points)) < len(block)


def gaussians_at(points: np.ndarray) -> Gaussians:
    n = len(points)
    return Gaussians(
        means=points.astype(np.float32), log_scales=np.full((n, 3), -4, np.float32),
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (n, 1)), opacity_logits=np.full(n, 2.0, np.float32),
        sh=np.zeros((n, 1, 3), np.float32),
    )  # fmt: skip


def subject_of(posed: PosedPhotos) -> Subject:
    subject = find_subject(posed)
    assert subject is not None
    return subject


@pytest.mark.parametrize("arc_deg", [360.0, 180.0, 90.0])
def test_the_box_holds_the_subject_and_little_else(arc_deg) -> None:
    posed, of_block = room(arc_deg=arc_deg)
    subject = subject_of(posed)
    inside = subject.box.depth(posed.points) > 0
    assert inside[of_block].mean() > 0.97
    assert inside[~of_block].mean() < 0.01
    volume = 8 * np.prod(subject.box.half)
    assert volume < 1.8 * 8 * np.prod(HALF), "turned as the subject is"
    assert subject.size == pytest.approx((2 * HALF[2], 2 * HALF[1]), rel=0.12)


def test_outside_is_left_out_and_the_subject_stays_as_it_is() -> None:
    posed, of_block = room()
    scene = gaussians_at(posed.points)
    alone = subject_of(posed).alone(scene)
    assert len(alone) < 1.03 * of_block.sum()
    whole = {tuple(row) for row in alone.means[alone.opacity_logits == 2.0].tolist()}
    kept = np.mean([tuple(row) in whole for row in scene.means[of_block].tolist()])
    assert kept > 0.97, "the soft edge lies around the subject"


def test_a_soft_edge_has_opacities_between() -> None:
    posed, _ = room()
    subject = subject_of(posed)
    side = subject.box.half[0] + subject.soft * np.linspace(0.0, 1.0, 9)
    local = np.column_stack([side, np.zeros((9, 2))])
    w, _, y, _ = subject.box.quat
    turn = np.arctan2(2 * w * y, 1 - 2 * y * y)
    axes = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    edge = subject.alone(gaussians_at(local @ axes.T + subject.box.centre))
    opacity = 1 / (1 + np.exp(-edge.opacity_logits))
    assert 5 <= len(edge) <= 9
    assert (np.diff(opacity) < 0).all()
    assert opacity[-1] < 0.2


def test_too_few_points_are_no_subject() -> None:
    posed, _ = room()
    few = PosedPhotos(views=posed.views, points=posed.points[:10], point_colours=posed.point_colours[:10])
    assert find_subject(few) is None


def test_cameras_json_has_the_box_and_no_place_unless_it_is_asked_for() -> None:
    posed, _ = room()
    subject = subject_of(posed)
    described = Ground(subject=subject, only_subject=True).described()
    box = described["subject"]
    assert isinstance(box, dict)
    assert box["alone"] is True
    assert box["half"] == pytest.approx(subject.box.half)
    assert described["metres_per_unit"] is None
    assert not {"place", "scene_to_enu", "scene_to_ecef"} & set(described)
    assert Ground().described() == {"subject": None, "metres_per_unit": None}
