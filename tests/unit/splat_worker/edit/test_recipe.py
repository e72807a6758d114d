"""A recipe and its effect. Silent failures: an order of steps that the preview does not have, an empty scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import blobs

from splat_worker.contract.edit import Edit, parse_edit
from splat_worker.edit.cameras import edited_cameras
from splat_worker.edit.crop import Sphere, crop, weights
from splat_worker.edit.floaters import floating
from splat_worker.edit.recipe import apply_edit, shape_of
from splat_worker.edit.turn import rotation_of, turned, upright
from splat_worker.errors import Code, JobError

CONTRACTS = Path(__file__).parents[4] / "docs/contracts"
EMPTY: dict[str, Any] = {"version": 2, "up": None, "start": None, "cover": None}
BALL = {"shape": "sphere", "centre": [0, 0, 0], "radius": 0.5, "keep": "inside", "soft": 0}


def edit(**changes: Any) -> Edit:
    return parse_edit({**EMPTY, **changes})


def test_the_published_recipes_of_both_versions_are_read_without_loss() -> None:
    for name in ("edit.json", "edit-1.json"):
        given = json.loads((CONTRACTS / name).read_text())
        assert parse_edit(given).model_dump(mode="json", exclude_unset=True) == given


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 3}, "version: Input should be 1 or 2."),
        ({"up": [0, -2, 0]}, "up: Value error, must have length 1."),
        ({"crops": [BALL] * 9}, "crops: Tuple should have at most 8 items"),
        ({"crops": [{**BALL, "radius": 0}]}, "crops.0.sphere.radius: Input should be greater than or equal to 0.0001."),
        ({"crops": [{**BALL, "shape": "cone"}]}, "crops.0: Input tag 'cone'"),
        ({"floaters": {"strength": 0, "reach": 4}}, "floaters.strength: Input should be greater than 0."),
        ({"floaters": {"strength": float("nan"), "reach": 4}}, "floaters.strength: Input should be a finite number."),
        ({"scale": {"points": [[1, 0, 0], [1, 0, 0]], "metres": 1}}, "scale: Value error, points: must be at least"),
        ({"scale": {"points": [[0, 0, 0], [1, 0, 0]], "metres": 0}}, "scale.metres: Input should be greater than or"),
        ({"colour": 1}, "colour: Extra inputs are not permitted."),
    ],
)
def test_a_recipe_that_does_not_fit_names_its_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(JobError) as raised:
        edit(**changes)
    assert raised.value.code is Code.BAD_INPUT
    assert raised.value.message.startswith(message)


def test_a_start_view_and_a_cover_change_no_file() -> None:
    start = {"position": [0, 0, -3], "target": [0, 0, 0], "fov": 50}
    assert not edit(start=start, cover=1).changes_files
    assert edit(crops=[BALL]).changes_files
    scene = blobs(50)
    assert apply_edit(scene, edit(start=start)) is scene


def test_crops_come_in_order_and_up_turns_what_they_leave() -> None:
    """The shapes are in the frame of the original file, so a turn before them would move them."""
    scene = blobs(1000)
    hole = {**BALL, "centre": [0.3, 0, 0], "radius": 0.2, "keep": "outside"}
    after = apply_edit(scene, edit(crops=[BALL, hole], up=[1, 0, 0]))
    ball, gap = Sphere(centre=(0, 0, 0), radius=0.5), Sphere(centre=(0.3, 0, 0), radius=0.2)
    wanted = turned(crop(crop(scene, ball), gap, outside=True), upright([1, 0, 0]))
    assert np.array_equal(after.means, wanted.means)
    assert 0 < len(after) < len(crop(scene, ball))


def test_a_crop_that_leaves_nothing_fails_and_names_itself() -> None:
    far = {**BALL, "centre": [90, 0, 0]}
    with pytest.raises(JobError, match=r"edit\.crops\.1: nothing of the scene is left") as raised:
        apply_edit(blobs(50), edit(crops=[BALL, far]))
    assert raised.value.hint == "Undo this crop, or make it larger."


def test_crops_and_floaters_are_those_of_the_preview_in_the_app() -> None:
    """edge_worker/web/test/scene/edit.test.ts reads the same cases."""
    cases = json.loads((CONTRACTS / "edit-cases.json").read_text())
    points = np.array(cases["points"], np.float32)
    for case in cases["crops"]:
        one = edit(crops=[case["crop"]]).crops[0]
        found = weights(points[:: case["points_every"]], shape_of(one), soft=one.soft, outside=one.keep == "outside")
        assert found == pytest.approx(case["weights"], abs=2e-5)
    for case in cases["floaters"]:
        removed = floating(points, strength=case["strength"], reach=case["reach"])
        assert np.flatnonzero(removed).tolist() == case["removed"]


def test_a_length_that_somebody_knows_sets_the_size_in_any_frame() -> None:
    scale = {"points": [[1, 0, 0], [1, 0.3, 0.4]], "metres": 0.25}
    given = edit(scale=scale, up=[0.6, -0.8, 0])
    assert given.changes_files
    place = np.eye(4)
    place[:3, :3] = 6.5 * rotation_of(upright([0.8, -0.6, 0]))
    place[:3, 3] = [1, 2, 3]
    content = {"target": [0, 0, 0], "cameras": [], "metres_per_unit": 6.5, "scene_to_enu": place.tolist()}
    edited = edited_cameras({**content, "scene_to_ecef": place.tolist()}, given)
    assert edited["metres_per_unit"] == 0.5
    assert "scene_to_ecef" not in edited
    there = np.array(edited["scene_to_enu"])
    turn = rotation_of(upright([0.6, -0.8, 0]))
    assert there[:3, :3] @ turn == pytest.approx(0.5 / 6.5 * place[:3, :3], abs=1e-6), "north stays"
    assert edited_cameras({"target": [0, 0, 0], "cameras": []}, edit(scale=scale))["metres_per_unit"] == 0.5
