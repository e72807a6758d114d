"""Which files are uploaded, with which type, and what the user reads about the others."""

from __future__ import annotations

import json
import os
import re
import struct
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.photos import (
    EXPECTED_SUFFIXES,
    FRAMES_MAX,
    FRAMES_MIN,
    FRAMES_PER_S,
    HEAD_BYTES,
    PHOTO_SUFFIXES,
    VIDEO_BYTES_MAX,
    VIDEO_SECONDS_MAX,
    LeftOut,
    Limits,
    digest,
    find_photos,
    photos_in,
    seconds_of,
    sift,
    told,
    type_of,
)

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 40
CONTRACT = json.loads((Path(__file__).parents[4] / "docs/contracts/photo-types.json").read_text())
ACCEPTED = [
    (kind["media_types"][0], head)
    for kind in CONTRACT["types"]
    for head in product(*([(part["offset"], text) for text in part["any_of"]] for part in kind["magic"]))
]
LIMITS = Limits(photos_min=5, photos_max=8, photo_bytes_max=1000)


def fill(folder: Path, count: int, content: bytes = JPEG) -> list[Path]:
    paths = [folder / f"{number:02d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(content + bytes([number]))
    return paths


@pytest.mark.parametrize(("kind", "parts"), ACCEPTED)
def test_the_first_bytes_of_the_contract_are_a_photo(kind: str, parts: list[tuple[int, str]]) -> None:
    head = ""
    for offset, text in parts:
        head = head.ljust(offset, "\0") + text
    assert type_of(head.encode("latin-1")) == kind
    assert type_of(head.encode("latin-1")[:-1]) is None


@pytest.mark.parametrize("rejected", CONTRACT["rejected"], ids=lambda rejected: rejected["name"])
def test_other_first_bytes_are_no_photo(rejected: dict[str, str]) -> None:
    assert type_of(rejected["head"].encode("latin-1")[:HEAD_BYTES]) is None


def test_the_extensions_are_those_of_the_contract() -> None:
    assert {f".{extension}" for kind in CONTRACT["types"] for extension in kind["extensions"]} == PHOTO_SUFFIXES


def test_the_worker_expects_the_same_files_of_a_folder() -> None:
    """Read as text: the two packages install apart."""
    sniff = (Path(__file__).parents[4] / "worker_image/src/splat_worker/photos/sniff.py").read_text()
    named = re.search(r"^TAKEN_SUFFIXES = .*?^EXPECTED_SUFFIXES = .*?^}", sniff, re.MULTILINE | re.DOTALL)
    assert named is not None
    assert set(re.findall(r'"(\.\w+)"', named.group())) == EXPECTED_SUFFIXES


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
    (tmp_path / "readme.txt").write_text("ignored: nobody takes it for a photo")
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert len(photos) == 5
    assert [(item.name, item.reason) for item in left_out] == [
        ("notes.jpg", "not a JPEG, PNG, WebP, HEIC or AVIF picture, nor an MP4 or MOV clip")
    ]


def test_a_photo_over_the_size_limit_is_left_out_with_both_sizes(tmp_path: Path) -> None:
    paths = fill(tmp_path, 1, JPEG + b"\0" * 2_000_000)
    _, left_out = sift(tmp_path, paths, Limits(photos_min=1, photos_max=9, photo_bytes_max=1_000_000))
    assert left_out[0].reason == "2.0 MB, at most 1 MB are allowed"


def test_too_few_photos_name_the_count_the_minimum_and_each_file_left_out(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    (tmp_path / "notes.jpg").write_text("not a picture")
    with pytest.raises(CommandError) as caught:
        find_photos(tmp_path, LIMITS)
    assert "4 photos that can be used, 5 or more are needed" in caught.value.message
    assert "left out notes.jpg: not a JPEG" in caught.value.message
    assert "overlapping" in caught.value.hint


def test_too_many_photos_are_rejected_before_anything_is_sent(tmp_path: Path) -> None:
    fill(tmp_path, 9)
    with pytest.raises(CommandError, match="holds 9 photos, at most 8"):
        find_photos(tmp_path, LIMITS)


def test_a_missing_folder_and_a_file_have_different_errors_and_home_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match=r"nowhere does not exist\."):
        find_photos(tmp_path / "nowhere", LIMITS)
    fill(tmp_path, 5)
    with pytest.raises(CommandError, match=r"00\.jpg is a file, not a folder\.") as caught:
        find_photos(tmp_path / "00.jpg", LIMITS)
    assert caught.value.hint.endswith(f"{tmp_path}; or an MP4 or MOV clip")
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert len(find_photos(Path("~") / tmp_path.name, LIMITS)[0]) == 5


def test_photos_of_subfolders_have_their_path_as_name_and_are_in_natural_order(tmp_path: Path) -> None:
    for number, name in enumerate(["IMG_2.JPG", "IMG_10.JPG", "b/IMG_2.jpg", "a/\u00fc '\"$.png", ".trash/x.jpg"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(JPEG + bytes([number]))
    photos, left_out = find_photos(tmp_path, Limits(photos_min=1, photos_max=9, photo_bytes_max=1000))
    assert [photo.name for photo in photos] == ["IMG_2.JPG", "IMG_10.JPG", "a/\u00fc '\"$.png", "b/IMG_2.jpg"]
    assert left_out == []


def test_masks_are_not_sent_as_photos(tmp_path: Path) -> None:
    """Silent: a scene of black and white shapes among the photos."""
    fill(tmp_path, 5)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/00.jpg").write_bytes(JPEG + b"mask")
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert [photo.name for photo in photos] == [f"{number:02d}.jpg" for number in range(5)]
    assert [item.name for item in left_out] == ["masks/00.jpg"]
    assert left_out[0].reason.startswith("a mask;")


def test_files_that_look_like_photos_are_left_out_with_a_reason_and_the_rest_silently(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    (tmp_path / "copy.jpeg").write_bytes((tmp_path / "02.jpg").read_bytes())
    (tmp_path / "walk.MP4").write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 9)
    (tmp_path / "old.avi").write_bytes(b"RIFF\0\0\0\0AVI LIST" + b"\0" * 9)
    (tmp_path / "raw.CR2").write_bytes(b"II*\0" + b"\0" * 40)
    (tmp_path / "all.zip").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "line\nbreak.gif").write_bytes(b"GIF89a" + b"\0" * 40)
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert len(photos) == 5
    assert {item.name: item.reason for item in left_out} == {
        "copy.jpeg": "the same picture as 02.jpg",
        "walk.MP4": "the clip is damaged or incomplete; copy it again from the camera",
        "old.avi": "a video of another kind; save it as MP4",
        "raw.CR2": "a TIFF or camera raw file; save it as JPEG",
        "all.zip": "a ZIP archive; unpack it first",
        "empty.jpg": "the file is empty",
        "gone.jpg": "a link to a file that does not exist",
        "line?break.gif": "a GIF; save it as JPEG",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_files_that_may_not_be_read_are_named(tmp_path: Path) -> None:
    fill(tmp_path, 6)
    (tmp_path / "03.jpg").chmod(0)
    _, left_out = find_photos(tmp_path, LIMITS)
    assert [(item.name, item.reason) for item in left_out] == [("03.jpg", "cannot be read: Permission denied")]


def test_many_files_left_out_are_counted_after_the_tenth() -> None:
    lines = told([LeftOut(name=f"{number}.mp4", reason="a video") for number in range(12)])
    assert len(lines) == 11
    assert lines[-1] == "left out 2 more"


def test_the_digest_follows_contents_names_and_preset(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    photos, _ = find_photos(tmp_path, LIMITS)
    first = digest(photos, preset="preview")
    assert digest(photos, preset="preview") == first
    assert digest(photos, preset="high") != first
    (tmp_path / "03.jpg").write_bytes(JPEG + b"x")
    assert digest(photos, preset="preview") != first


def clip_of(seconds: float, *, brand: bytes = b"isom", wide: bool = False, late: bool = True) -> bytes:
    """A clip without pictures: its boxes as phones order them (`late`: the header at the end)."""

    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    length = round(600 * seconds)
    times = bytes(16) + struct.pack(">IQ", 600, length) if wide else bytes(8) + struct.pack(">II", 600, length)
    header = box(b"moov", box(b"mvhd", bytes([wide, 0, 0, 0]) + times + bytes(80)) + box(b"trak", b"x" * 40))
    data = (1).to_bytes(4, "big") + b"mdat" + (16 + 500).to_bytes(8, "big") + b"y" * 500
    return box(b"ftyp", brand + bytes(12)) + (data + header if late else header + data)


def test_a_clip_is_taken_with_its_length_and_counts_for_its_frames(tmp_path: Path) -> None:
    clip = tmp_path / "walk.mov"
    clip.write_bytes(clip_of(12.5, brand=b"qt  "))
    photos, left_out = find_photos(clip, replace(LIMITS, photos_max=100))
    assert [(one.name, one.type, one.seconds, one.frames) for one in photos] == [
        ("walk.mov", "video/quicktime", 12.5, 25)
    ]
    assert left_out == []


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_the_length_is_read_from_any_order_and_version_of_the_header(tmp_path: Path, wide: bool, late: bool) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(clip_of(61.5, wide=wide, late=late))
    assert seconds_of(clip) == pytest.approx(61.5)


def test_clips_stand_beside_photos_and_bad_clips_have_a_reason(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    (tmp_path / "good.mp4").write_bytes(clip_of(30))
    (tmp_path / "long.mp4").write_bytes(clip_of(700))
    (tmp_path / "torn.mp4").write_bytes(clip_of(30)[:400])
    photos, left_out = find_photos(tmp_path, LIMITS)
    assert photos_in(photos) == 5 + 60
    assert {one.name: one.reason for one in left_out} == {
        "long.mp4": "11.7 min long, at most 10 min are allowed; cut it",
        "torn.mp4": "the clip is damaged or incomplete; copy it again from the camera",
    }
    with pytest.raises(CommandError, match="damaged or incomplete"):
        find_photos(tmp_path / "torn.mp4", LIMITS)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_length_or_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    clip = tmp_path_factory.mktemp("clips") / "any.mp4"
    clip.write_bytes(content)
    seconds_of(clip)


def test_the_clips_and_limits_are_those_of_the_contract() -> None:
    video = CONTRACT["video"]
    kinds = {type_of(f"\0\0\0\x18ftyp{brand}".encode("latin-1")) for brand in video["magic"][1]["any_of"]}
    assert kinds == set(video["media_types"])
    assert (video["bytes_max"], video["seconds_max"]) == (VIDEO_BYTES_MAX, VIDEO_SECONDS_MAX)
    assert (video["frames_per_s"], video["frames_min"], video["frames_max"]) == (FRAMES_PER_S, FRAMES_MIN, FRAMES_MAX)
