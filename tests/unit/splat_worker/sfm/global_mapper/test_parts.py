"""The parts of the global mapper against plain or exact counterparts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from splat_worker.sfm.global_mapper import algebra
from splat_worker.sfm.global_mapper.adjustment import Bundle, triangulated
from splat_worker.sfm.global_mapper.algebra import (
    angle_deg,
    det3,
    inverse3,
    least_vector,
    rotation_of,
    run_sums,
    skew,
    solved_large,
    solved_small,
    turn_of,
)
from splat_worker.sfm.global_mapper.lenses import singular_gap
from splat_worker.sfm.global_mapper.positioning import Positions
from splat_worker.sfm.global_mapper.relative import eight_point, of_essential, of_homography
from splat_worker.sfm.global_mapper.rotations import along_tree, average, largest_group
from splat_worker.sfm.global_mapper.schur import Structure, step_of, structure_of
from splat_worker.sfm.global_mapper.tracks import longest, tracks_of

DRAW = torch.Generator().manual_seed(7)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


def test_turns_rotations_and_inverses_agree_with_torch() -> None:
    turns = torch.cat([drawn(50, 3), 1e-9 * drawn(5, 3)])
    rotations = rotation_of(turns)
    torch.testing.assert_close(rotations, torch.linalg.matrix_exp(skew(turns)))
    small = turns / turns.norm(dim=1, keepdim=True).clamp(min=1.0)
    torch.testing.assert_close(turn_of(rotation_of(small)), small)
    matrices = drawn(20, 3, 3)
    torch.testing.assert_close(inverse3(matrices), torch.linalg.inv(matrices))


def test_systems_without_a_solver_library_agree_with_lapack() -> None:
    half = drawn(40, 5, 5)
    small = half @ half.transpose(1, 2) + 0.1 * torch.eye(5)
    right = drawn(40, 5)
    torch.testing.assert_close(solved_small(small, right), torch.linalg.solve(small, right))
    torch.testing.assert_close(det3(small[:, :3, :3]), torch.linalg.det(small[:, :3, :3]))
    design = drawn(40, 30, 9)
    design[..., 8] = design[..., :8].sum(-1) + 1e-3 * drawn(40, 30)
    normal = design.transpose(1, 2) @ design
    least = torch.linalg.eigh(normal).eigenvectors[..., 0]
    torch.testing.assert_close((least_vector(normal) * least).sum(1).abs(), torch.ones(40).double())
    half = drawn(300, 300)
    large = half @ half.T + torch.eye(300)
    right = drawn(300)
    solution = solved_large(large, right)
    assert solution is not None
    torch.testing.assert_close(large @ solution, right)
    assert solved_large(large - 1000 * torch.eye(300), right) is None


def test_no_module_calls_a_library_that_the_image_lacks() -> None:
    """cuSOLVER is hollow in the image. torch has kernels of its own for `cross` and `norm`; `.cpu()` marks the rest."""
    in_torch = {"cross", "norm"}
    for module in Path(algebra.__file__).parent.glob("*.py"):
        for line in module.read_text().splitlines():
            for called in re.findall(r"torch\.linalg\.(\w+)", line):
                assert called in in_torch or ".cpu()" in line, f"{module.name}: {line.strip()}"


def test_sums_of_runs_skip_empty_runs() -> None:
    rows = torch.arange(12.0, dtype=torch.float64).reshape(6, 2)
    sums = run_sums(rows, torch.tensor([2, 0, 4]))
    torch.testing.assert_close(sums, torch.stack([rows[:2].sum(0), torch.zeros(2).double(), rows[2:].sum(0)]))


def bundle() -> Bundle:
    """Four photos of two lenses and thirty points, of which each photo sees most."""
    photos, points = 4, 30
    seen = (torch.rand(photos, points, generator=DRAW) < 0.8).nonzero()
    structure, _, kept = structure_of(seen[:, 0], seen[:, 1], photos)
    one = Bundle(
        structure=structure,
        rotations=rotation_of(0.1 * drawn(photos, 3)),
        shifts=0.2 * drawn(photos, 3) + torch.tensor([0.0, 0, 5], dtype=torch.float64),
        lens=torch.tensor([0, 1, 0, 1]),
        lenses=torch.tensor([[800.0, 500, 375, 0.05], [600.0, 500, 375, -0.05]], dtype=torch.float64),
        points=drawn(len(kept), 3),
        pixels=torch.zeros(structure.photo.shape[0], 2, dtype=torch.float64),
    )
    return replace(one, pixels=one.errors_px() + 2 * drawn(len(structure.photo), 2))


def test_a_step_solves_the_normal_equations_of_photos_lenses_and_points() -> None:
    one = bundle()
    unknowns = int(one.columns.max()) + 1
    points = one.structure.points

    def errors(step: Tensor) -> Tensor:
        photo_step = step[:unknowns][one.columns]
        return one.moved(photo_step, step[unknowns:].reshape(points, 3), 0.0).errors_px().reshape(-1)

    at = torch.zeros(unknowns + 3 * points, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(errors, at)
    damping = 0.01
    normal = slope.T @ slope
    normal = normal + damping * torch.diag(normal.diagonal())
    expected = torch.linalg.solve(normal, -slope.T @ errors(at))
    steps = step_of(one.structure, one.normal(damping), damping, one.columns)
    assert steps is not None
    photo_step, point_step = steps
    torch.testing.assert_close(photo_step, expected[:unknowns][one.columns], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(point_step.reshape(-1), expected[unknowns:], rtol=1e-6, atol=1e-9)


def test_scales_of_positions_are_eliminated_exactly() -> None:
    structure = bundle().structure
    count, points = structure.photos, structure.points
    observations = len(structure.photo)
    one = Positions(
        structure=structure,
        columns=torch.arange(3 * count).reshape(-1, 3),
        directions=torch.nn.functional.normalize(drawn(observations, 3), dim=1) * 0.01,  # within the squared part
        centres=0.01 * drawn(count, 3),
        points=0.01 * drawn(points, 3),
        scales=torch.rand(observations, generator=DRAW, dtype=torch.float64) + 0.5,
    )

    def errors(step: Tensor) -> Tensor:
        where = 3 * count
        way = (one.points + step[where : where + 3 * points].reshape(-1, 3))[structure.point] - (
            one.centres + step[:where].reshape(-1, 3)
        )[structure.photo]
        return (one.directions - (one.scales + step[where + 3 * points :])[:, None] * way).reshape(-1)

    at = torch.zeros(3 * (count + points) + observations, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(errors, at)
    normal, right = slope.T @ slope, -slope.T @ errors(at)
    kept = 3 * (count + points)
    rest = torch.linalg.inv(normal[kept:, kept:])
    reduced = normal[:kept, :kept] - normal[:kept, kept:] @ rest @ normal[kept:, :kept]
    steep = right[:kept] - normal[:kept, kept:] @ rest @ right[kept:]
    found = one.normal(0.0)
    torch.testing.assert_close(
        torch.cat([found.photo_steep.reshape(-1), found.point_steep.reshape(-1)]), steep, rtol=1e-8, atol=1e-12
    )
    for photo in range(count):
        torch.testing.assert_close(
            found.photo_blocks[photo], reduced[3 * photo : 3 * photo + 3, 3 * photo : 3 * photo + 3]
        )
    for row, (photo, point) in enumerate(zip(structure.photo.tolist(), structure.point.tolist(), strict=True)):
        block = reduced[3 * photo : 3 * photo + 3, 3 * (count + point) : 3 * (count + point) + 3]
        torch.testing.assert_close(found.cross[row], block)


def rays(points: Tensor, turn: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    second = points @ turn.T + shift
    return points / points[:, 2:], second / second[:, 2:]


def test_poses_of_pairs_come_back_from_points_in_depth_and_on_a_plane() -> None:
    turn, shift = rotation_of(torch.tensor([0.1, -0.2, 0.05]).double()), torch.tensor([0.6, 0.0, 0.8]).double()
    cloud = drawn(100, 3) + torch.tensor([0.0, 0, 6]).double()
    one, other = rays(cloud, turn, shift)
    turns, shifts = of_essential(eight_point(one[None], other[None], torch.ones(1, 100).double()))
    off = angle_deg(turns, turn)[0] + (shifts - shift).norm(dim=-1)[0]
    assert float(off.min()) < 1e-4
    normal, distance = torch.tensor([0.1, 0.2, 1.0]).double(), 5.0
    plane = turn + shift[:, None] * normal[None] / distance
    turns, shifts = of_homography(-3.0 * plane[None])
    off = angle_deg(turns, turn)[0] + (shifts - shift).norm(dim=-1)[0]
    assert float(off.min()) < 1e-4


def test_the_focal_length_makes_both_singular_values_equal() -> None:
    essential = skew(torch.tensor([0.6, 0.0, 0.8]).double()) @ rotation_of(torch.tensor([0.1, -0.2, 0.05]).double())
    assert float(singular_gap(essential)) < 1e-6
    matrix = torch.diag(torch.tensor([1.3, 1.3, 1.0]).double())
    off = matrix @ essential @ matrix
    values = torch.linalg.svdvals(off)
    torch.testing.assert_close(singular_gap(off), 1 - values[1] / values[0])


def test_rotations_are_right_with_a_fifth_of_the_pairs_wrong() -> None:
    count = 20
    true = rotation_of(drawn(count, 3))
    pairs = torch.combinations(torch.arange(count))
    turns = true[pairs[:, 1]] @ true[pairs[:, 0]].transpose(1, 2)
    turns = rotation_of(0.005 * drawn(len(pairs), 3)) @ turns
    wrong = torch.rand(len(pairs), generator=DRAW) < 0.2
    turns[wrong] = rotation_of(drawn(int(wrong.sum()), 3))
    weights = torch.ones(len(pairs)).double()
    tree = largest_group(pairs.numpy(), weights.numpy(), count)
    assert len(tree) == count
    # The second pose of each pair is the right one for half of the wrong pairs.
    other = turns.clone()
    half = wrong & (torch.rand(len(pairs), generator=DRAW) < 0.5)
    other[half] = (true[pairs[:, 1]] @ true[pairs[:, 0]].transpose(1, 2))[half]
    found, nearest, errors = average(
        pairs, torch.stack([turns, other], 1), weights, along_tree(tree, pairs, turns, count)
    )
    assert float(angle_deg(found @ found[0].T, true @ true[0].T).max()) < 0.5
    assert bool((errors[wrong & ~half] > 5).all())
    assert bool((nearest[half] == 1).all())


def test_the_largest_group_leaves_out_photos_apart() -> None:
    pairs = np.array([[0, 1], [2, 3], [3, 4], [2, 4]])
    tree = largest_group(pairs, np.array([9.0, 1, 1, 1]), 6)
    assert sorted(photo for photo, *_ in tree) == [2, 3, 4]


def test_tracks_have_one_point_in_each_photo() -> None:
    # Photo 0: keypoints 0 1, photo 1: 2 3, photo 2: 4 5, photo 3: 6. Keypoints 1, 3, 4, 5 hold two of photo 2.
    photo = torch.tensor([0, 0, 1, 1, 2, 2, 3])
    matches = torch.tensor([[0, 2], [2, 6], [1, 3], [3, 5], [1, 4]])
    structure, keypoints = tracks_of(matches, photo, 4)
    assert structure.points == 1
    assert keypoints.tolist() == [0, 2, 6]
    assert structure.photo.tolist() == [0, 1, 3]


def test_the_longest_tracks_of_each_photo_stay() -> None:
    # Point 0: photos 0 1 2 3; point 1: 0 1 2; point 2: 1 2 3.
    structure = Structure(4, 3, torch.tensor([0, 1, 2, 3, 0, 1, 2, 1, 2, 3]), torch.tensor([0] * 4 + [1] * 3 + [2] * 3))
    assert longest(structure, 1).tolist() == [True, False, False]
    assert longest(structure, 2).tolist() == [True, True, True]


def test_points_lie_where_most_rays_meet() -> None:
    centres = drawn(6, 3)
    point = torch.tensor([[0.5, -0.2, 8.0]]).double()
    directions = torch.nn.functional.normalize(point - centres, dim=1)
    directions[5] = torch.nn.functional.normalize(directions[5] + 0.2, dim=0)
    structure = Structure(6, 1, torch.arange(6), torch.zeros(6, dtype=torch.long))
    assert float((triangulated(structure, centres, directions, steps=20) - point).norm()) < 0.05
