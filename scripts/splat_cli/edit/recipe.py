"""Recipes of edits as data (docs/contracts/edit.schema.json). Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.splat_cli.errors import CommandError

UNEDITED: Mapping[str, Any] = {
    "version": 2,
    "up": None,
    "start": None,
    "cover": None,
    "crops": [],
    "floaters": None,
    "scale": None,
}


def point(text: str) -> list[float]:
    """A point of the scene from `x,y,z`. Raises CommandError for any other text."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(math.isfinite(number) for number in numbers):
        raise CommandError(f"{text!r} is no point.", hint="give three numbers, for example 0.1,-0.4,0.25")
    return numbers


def with_scale(
    recipe: Mapping[str, Any] | None, points: Sequence[Sequence[float]], metres: float
) -> tuple[dict[str, Any], float]:
    """The recipe with this length between two points, and the metres of one unit of the scene."""
    apart = math.dist(*points)
    if apart < 1e-4:
        raise CommandError("The two points are the same.", hint="give two points that are apart")
    scale = {"points": [list(one) for one in points], "metres": metres}
    return {**(recipe or UNEDITED), "version": 2, "scale": scale}, metres / apart
