"""Which files go up, as what type, and what a person reads about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.photos import Limits, digest, find_photos, sift, type_of

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 40
LIMITS = Limits(photos_min=5, photos_max=8, photo_bytes_max=1000)


def fill(folder: Path, count: int, content: bytes = JPEG) -> list[Path]:
    paths = [folder / f"{number:02d}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(content)
    return paths


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 8, "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "image/heic"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", None),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"Dear diary, 1 Jan", None),
        (b"", None),
    ],
)
def test_the_type_of_a_photo_is_told_by_its_first_bytes(head: bytes, kind: str | None) -> None:
    assert type_of(head[:16]) == kind


@given(st.binary(max_size=16))
def test_any_first_bytes_are_judged_without_an_error(head: bytes) -> None:
    assert type_of(head) in {None, "image/jpeg", "image/png", "image/webp", "image/heic"}


def test_photos_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert [photo.path.name for photo in photos] == [f"{number:02d}.jpg" for number in range(6)]
    assert left_out == []


def test_a_text_file_named_jpg_is_left_out_with_its_reason(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    (tmp_path / "notes.jpg").write_text("not a picture")
    (tmp_path / "readme.txt").write_text("ignored in silence: no photo by name")
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert len(photos) == 5
    assert [(item.path.name, item.reason) for item in left_out] == [
        ("notes.jpg", "not a JPEG, PNG, WebP or HEIC picture, whatever its name says")
    ]


def test_a_photo_over_the_size_limit_is_left_out_with_both_sizes(tmp_path: Path) -> None:
    paths = fill(tmp_path, 1, JPEG + b"\0" * 2_000_000)
    _, left_out = sift(paths, Limits(photos_min=1, photos_max=9, photo_bytes_max=1_000_000))
    assert left_out[0].reason == "2.0 MB, at most 1 MB are taken"


def test_too_few_photos_name_the_count_the_minimum_and_each_file_left_out(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    (tmp_path / "notes.jpg").write_text("not a picture")
    with pytest.raises(CommandError) as caught:
        find_photos(tmp_path, LIMITS)
    assert "4 photos that can be used, 5 or more are needed" in caught.value.message
    assert "notes.jpg: not a JPEG" in caught.value.message
    assert "overlapping" in caught.value.hint


def test_too_many_photos_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    fill(tmp_path, 9)
    with pytest.raises(CommandError, match="holds 9 photos, at most 8"):
        find_photos(tmp_path, LIMITS)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere is not a folder"):
        find_photos(tmp_path / "nowhere", LIMITS)


def test_the_digest_follows_contents_names_and_preset(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    photos, _ = find_photos(tmp_path, LIMITS)
    first = digest(photos, preset="preview")
    assert digest(photos, preset="preview") == first
    assert digest(photos, preset="high") != first
    (tmp_path / "03.jpg").write_bytes(JPEG + b"x")
    assert digest(photos, preset="preview") != first
