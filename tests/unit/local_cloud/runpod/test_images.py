"""Image references and the images file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_cloud.runpod.images import Images, ImagesFileInvalid, repository_of
from local_cloud.runpod.problems import Problem


@pytest.mark.parametrize(
    "reference",
    [
        "checkout.local/splat-worker",
        "checkout.local/splat-worker:v1",
        "checkout.local/splat-worker@sha256:00ff",
        "checkout.local/splat-worker:v1@sha256:00ff",
    ],
)
def test_a_reference_is_known_by_its_repository(reference: str) -> None:
    assert repository_of(reference) == "checkout.local/splat-worker"


def test_a_port_is_no_tag() -> None:
    assert repository_of("localhost:5000/worker") == "localhost:5000/worker"


def test_the_file_is_read_afresh_and_a_near_name_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    images = Images(file)
    file.write_text(json.dumps({"a/b": {"command": ["one"]}}))
    assert images.resolve("a/b:1").command == ["one"]
    file.write_text(json.dumps({"a/b": {"command": ["two"]}}))
    assert images.resolve("a/b:1").command == ["two"]
    with pytest.raises(Problem, match="could not be resolved"):
        images.resolve("a/bc:1")


@pytest.mark.parametrize("text", ["", "[]", '{"a": {}}', '{"a": {"command": []}}', '{"a": {"command": ["x"], "b": 1}}'])
def test_a_damaged_file_names_itself(tmp_path: Path, text: str) -> None:
    file = tmp_path / "images.json"
    file.write_text(text)
    with pytest.raises(ImagesFileInvalid, match=r"images\.json"):
        Images(file).load()
