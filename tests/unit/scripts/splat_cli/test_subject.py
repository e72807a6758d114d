"""The crop that shows a subject alone: the worker takes it, and the box keeps its soft edge outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.reconstruct import NO_SUBJECT, show_alone, subject_recipe

CONTRACTS = Path(__file__).parents[4] / "docs/contracts"
SCHEMA = json.loads((CONTRACTS / "edit.schema.json").read_text())
PROJECT = json.loads((CONTRACTS / "project.json").read_text())
CAMERAS: dict[str, Any] = {
    "subject": {
        "centre": [0.1, -0.2, 0.0],
        "half": [0.5, 0.4, 0.9],
        "quat": [0.966, 0.0, 0.259, 0.0],
        "soft": 0.05,
        "alone": False,
    }
}


def edge_with(cameras: dict[str, Any]) -> tuple[EdgeClient, list[tuple[str, Any]]]:
    calls: list[tuple[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append((f"{request.method} {request.url.path}", json.loads(request.content or b"null")))
        return httpx.Response(200, json=PROJECT if request.method == "PUT" else cameras)

    client = EdgeClient("http://edge.test", "t", transport=httpx.MockTransport(answer), sleep=lambda _: None)
    return client, calls


def test_the_recipe_is_one_that_edge_and_worker_take() -> None:
    recipe = subject_recipe(CAMERAS)
    assert recipe is not None
    jsonschema.validate(recipe, SCHEMA)
    (crop,) = recipe["crops"]
    assert crop["half"] == [0.55, 0.45, 0.9500000000000001]
    assert crop["keep"] == "inside"


def test_the_crop_is_put_beside_the_scene_and_trains_nothing() -> None:
    client, calls = edge_with(CAMERAS)
    assert show_alone(client, "p_1") is None
    assert [call for call, _ in calls] == [
        "GET /api/projects/p_1/artifacts/cameras.json",
        "PUT /api/projects/p_1/edit",
    ]
    assert calls[1][1] == subject_recipe(CAMERAS)


def test_a_scene_without_a_box_stays_as_it_is_with_a_sentence() -> None:
    client, calls = edge_with({"subject": None})
    assert show_alone(client, "p_1") == NO_SUBJECT
    assert len(calls) == 1
    assert subject_recipe({}) is None, "scenes of older workers"
