"""The worker accepts exactly the photos of docs/contracts/photo-types.json, as page, server and command line do."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from splat_worker.photos.reject import Refused
from splat_worker.photos.sniff import FORMATS, TAKEN_SUFFIXES, sniff

CONTRACT = json.loads((Path(__file__).parents[4] / "docs/contracts/photo-types.json").read_text())
ACCEPTED = [
    (kind["name"], head)
    for kind in CONTRACT["types"]
    for head in product(*([(part["offset"], text) for text in part["any_of"]] for part in kind["magic"]))
]


def written(path: Path, head: str) -> Path:
    path.write_bytes(head.encode("latin-1"))
    return path


@pytest.mark.parametrize(("name", "parts"), ACCEPTED)
def test_the_first_bytes_of_the_contract_are_a_photo(tmp_path: Path, name: str, parts: list[tuple[int, str]]) -> None:
    head = ""
    for offset, text in parts:
        head = head.ljust(offset, "\0") + text
    pillow = next(pillow for ours, pillow, _ in FORMATS if ours == name)
    assert sniff(written(tmp_path / "photo", head), "photo") == pillow
    with pytest.raises(Refused):
        sniff(written(tmp_path / "photo", head[:-1]), "photo")


@pytest.mark.parametrize("rejected", CONTRACT["rejected"], ids=lambda rejected: rejected["name"])
def test_other_first_bytes_are_no_photo(tmp_path: Path, rejected: dict[str, str]) -> None:
    with pytest.raises(Refused):
        sniff(written(tmp_path / "photo.jpg", rejected["head"]), "photo.jpg")


def test_the_types_and_extensions_are_those_of_the_contract() -> None:
    assert [name for name, _, _ in FORMATS] == [kind["name"] for kind in CONTRACT["types"]]
    assert {f".{extension}" for kind in CONTRACT["types"] for extension in kind["extensions"]} == TAKEN_SUFFIXES
