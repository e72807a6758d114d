"""The worker accepts exactly the photos of docs/contracts/photo-types.json, as page, server and command line do."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from splat_worker.photos.reject import Refused
from splat_worker.photos.sniff import FORMATS, TAKEN_SUFFIXES, is_video, sniff

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


def test_clips_are_those_of_the_contract(tmp_path: Path) -> None:
    kind, brands = CONTRACT["video"]["magic"]
    heads = [f"\0\0\0\x18{kind['any_of'][0]}{brand}" for brand in brands["any_of"]]
    assert all(is_video(written(tmp_path / "clip", head)) for head in heads)
    assert not any(is_video(written(tmp_path / "clip", head[:-1])) for head in heads)
    for _, parts in ACCEPTED:
        assert not is_video(
            written(tmp_path / "photo", "".join(text.rjust(offset + len(text), "\0") for offset, text in parts))
        )


def test_the_limits_of_clips_are_those_of_the_contract() -> None:
    from splat_worker import limits

    video = CONTRACT["video"]
    assert (video["bytes_max"], video["seconds_max"]) == (limits.VIDEO_BYTES_MAX, limits.VIDEO_SECONDS_MAX)
    assert video["frames_per_s"] == limits.VIDEO_FRAMES_PER_S
    assert (video["frames_min"], video["frames_max"]) == (limits.VIDEO_FRAMES_MIN, limits.VIDEO_FRAMES_MAX)
