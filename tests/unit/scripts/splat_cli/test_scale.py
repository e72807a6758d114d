"""`splat scale`: a known length between two points becomes an edit, beside what the recipe has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.splat_cli.edit.recipe import UNEDITED, point, with_scale
from scripts.splat_cli.errors import CommandError

RECIPE = json.loads((Path(__file__).parents[4] / "docs/contracts/edit.json").read_text())


def test_a_length_joins_the_recipe_of_the_scene() -> None:
    recipe, metres_per_unit = with_scale(RECIPE, [point("0, 0, 0"), point("0.3,0,-0.4")], 0.3)
    assert metres_per_unit == pytest.approx(0.6)
    assert recipe == {**RECIPE, "scale": {"points": [[0, 0, 0], [0.3, 0, -0.4]], "metres": 0.3}}


def test_a_scene_without_an_edit_gets_the_length_alone() -> None:
    recipe, _ = with_scale(None, [[0, 0, 0], [0, 1, 0]], 2.0)
    assert {key for key, value in recipe.items() if value != UNEDITED[key]} == {"scale"}
    assert set(UNEDITED) == set(RECIPE)


@pytest.mark.parametrize("text", ["1,2", "1,2,3,4", "a,b,c", "1,2,nan", ""])
def test_what_is_no_point_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(CommandError, match="is no point") as caught:
        point(text)
    assert "0.1,-0.4,0.25" in caught.value.hint


def test_two_points_that_are_the_same_are_refused() -> None:
    with pytest.raises(CommandError, match="are the same"):
        with_scale(None, [[1, 1, 1], [1, 1, 1]], 1.0)
