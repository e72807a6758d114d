"""Image references and the images file."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from local_cloud.runpod.core.problems import Problem
from local_cloud.runpod.images.copies import Copies
from local_cloud.runpod.images.registry import Images, ImagesFileInvalid, repository_of


@pytest.mark.parametrize(
    "reference",
    [
        "checkout.local/splat-worker",
        "checkout.local/splat-worker:v1",
        "checkout.local/splat-worker@sha256:00ff",
        "checkout.local/splat-worker:v1@sha256:00ff",
    ],
)
def test_a_reference_is_found_by_its_repository(reference: str) -> None:
    assert repository_of(reference) == "checkout.local/splat-worker"


def test_a_port_is_not_a_tag() -> None:
    assert repository_of("localhost:5000/worker") == "localhost:5000/worker"


def test_the_file_is_read_on_each_call_and_names_match_exactly(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    images = Images(file)
    file.write_text(json.dumps({"a/b": {"command": ["one"]}}))
    assert images.resolve("a/b:1").command == ["one"]
    file.write_text(json.dumps({"a/b": {"command": ["two"]}}))
    assert images.resolve("a/b:1").command == ["two"]
    with pytest.raises(Problem, match="could not be resolved"):
        images.resolve("a/bc:1")


def test_a_star_stands_for_every_other_valid_reference(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"a/b": {"command": ["own"]}, "*": {"command": ["other"]}}))
    images = Images(file)
    assert images.resolve("a/b:1").command == ["own"]
    assert images.resolve("ghcr.io/team/x:1@sha256:" + "0" * 64).command == ["other"]
    for text in ("", "a b", "ghcr.io/Upper/case", "x@sha256:00", "x:", "../x", "http://x/y"):
        with pytest.raises(Problem, match="could not be resolved"):
            images.resolve(text)


def test_a_private_image_takes_each_of_its_logins_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    logins = [{"username": "robot", "password": password} for password in ("old", "new")]
    file.write_text(json.dumps({"a/b": {"command": ["x"], "private": logins}}))
    for password in ("old", "new"):
        assert Images(file).resolve("a/b", ("robot", password)).command == ["x"]
    for login in (None, ("robot", "other"), ("someone", "old")):
        with pytest.raises(Problem, match="refused the credential"):
            Images(file).resolve("a/b", login)


@pytest.fixture
def folder_image(tmp_path: Path) -> tuple[Images, Path]:
    """An image that is a folder, whose digest is the SHA-256 of its file `code`."""
    program = (
        "import hashlib, pathlib, sys;print(hashlib.sha256(pathlib.Path(sys.argv[1], 'code').read_bytes()).hexdigest())"
    )
    sources = tmp_path / "sources"
    sources.mkdir()
    image = {
        "command": ["run", "{image}/code"],
        "env": {"PYTHONPATH": "{image}"},
        "sources": {"folder": str(sources), "hash_command": [sys.executable, "-c", program]},
    }
    (tmp_path / "images.json").write_text(json.dumps({"a/b": image}))
    return Images(tmp_path / "images.json", Copies(tmp_path / "copies")), sources


def reference_of(code: str) -> str:
    return f"a/b@sha256:{hashlib.sha256(code.encode()).hexdigest()}"


def test_a_release_keeps_the_sources_of_its_digest(folder_image: tuple[Images, Path]) -> None:
    images, sources = folder_image
    (sources / "code").write_text("first")
    first = images.resolve(reference_of("first"))
    (sources / "code").write_text("second")
    second = images.resolve(reference_of("second"))
    for image, code in ((images.resolve(reference_of("first")), "first"), (second, "second")):
        assert Path(image.command[1]).read_text() == code
        assert Path(image.env["PYTHONPATH"], "code").read_text() == code
    assert images.resolve(reference_of("first")) == first


@pytest.mark.parametrize("reference", ["a/b:latest", reference_of("never made")])
def test_a_digest_that_the_folder_does_not_have_is_refused(folder_image: tuple[Images, Path], reference: str) -> None:
    images, sources = folder_image
    (sources / "code").write_text("something else")
    with pytest.raises(Problem, match="has no such digest"):
        images.resolve(reference)
    assert list((sources.parent / "copies").glob("*")) == []


@pytest.mark.parametrize("text", ["", "[]", '{"a": {}}', '{"a": {"command": []}}', '{"a": {"command": ["x"], "b": 1}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "images.json"
    file.write_text(text)
    with pytest.raises(ImagesFileInvalid, match=r"images\.json"):
        Images(file).load()
