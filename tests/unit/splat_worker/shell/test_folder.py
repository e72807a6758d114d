"""Which files of a folder a run from a shell takes, in which order, and under which names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from splat_worker.errors import JobError
from splat_worker.shell.folder import find_sources, readable


def names(folder: Path, out: Path | None = None) -> list[str]:
    return [source.name for source in find_sources(folder, out or folder.parent / "out")]


def test_photos_are_sorted_in_natural_order(tmp_path: Path) -> None:
    expected = ["IMG_1.jpg", "IMG_2.jpg", "img_9.JPG", "IMG_10.jpg", "IMG_10b.jpg", "IMG_100.jpg"]
    for name in expected:
        (tmp_path / name).write_bytes(b"never read")
    assert names(tmp_path) == expected


def test_subfolders_count_but_hidden_ones_and_the_output_do_not(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("a.jpg", "day 1/a.jpg", "day 2/a.jpg", ".trash/a.jpg", "scene/poster.webp", "notes/readme.txt"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(b"no picture")
    assert names(photos, photos / "scene") == ["a.jpg", "day 1/a.jpg", "day 2/a.jpg"]


def test_links_that_lead_nowhere_videos_and_raw_files_get_a_reason_later_and_pipes_are_not_opened(
    tmp_path: Path,
) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "to a pipe.jpg").symlink_to(tmp_path / "pipe.jpg")
    for name in ("clip.MP4", "raw.nef", "text.txt"):
        (tmp_path / name).write_bytes(b"x" * 64)
    assert names(tmp_path) == ["clip.MP4", "gone.jpg", "loop.jpg", "raw.nef"]


def test_one_clip_needs_no_folder_but_one_photo_does(tmp_path: Path) -> None:
    (tmp_path / "walk.mov").write_bytes(b"\0\0\0\x14ftypqt  ")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert names(tmp_path / "walk.mov") == ["walk.mov"]
    assert names(tmp_path) == ["a.jpg", "walk.mov"]
    with pytest.raises(JobError, match="not a folder"):
        names(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain.jpg", "plain.jpg"),
        ("schön 写真.jpg".encode(), "schön 写真.jpg"),
        (b"caf\xe9.jpg", "caf\\xe9.jpg"),
        (b"a\x1b[31mb\nc.jpg", "a\\x1b[31mb\\nc.jpg"),
        ("left\u202eright.jpg".encode(), "left\\u202eright.jpg"),
    ],
)
def test_every_name_prints_and_encodes(name: bytes, shown: str) -> None:
    assert readable(os.fsdecode(name)) == shown
    json.dumps(shown).encode()


def test_names_that_look_alike_stay_two(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", b"caf\\xe9.jpg"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    assert sorted(names(tmp_path)) == ["caf\\xe9.jpg", "caf\\xe9.jpg (2)"]


@pytest.mark.parametrize("out", ["photos", "photos/../photos", "link"])
def test_the_scene_cannot_go_among_the_photos(out: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"")
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(JobError, match="which holds the photos") as caught:
        find_sources(photos, tmp_path / out)
    assert "another folder" in caught.value.hint


def test_a_folder_without_read_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "photos" / "private"
    inner.mkdir(parents=True)
    scandir = os.scandir

    def refuses(path: str) -> object:
        if Path(path) == inner:
            raise PermissionError(13, "Permission denied", str(inner))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuses)
    with pytest.raises(JobError, match=r"no permission to read .*private") as caught:
        find_sources(inner.parent, tmp_path / "out")
    assert "--user" in caught.value.hint


def test_a_folder_of_masks_gives_each_photo_its_mask_and_is_no_folder_of_photos(tmp_path: Path) -> None:
    for name in ("a.jpg", "day 1/b.jpg", "c.jpg", "masks/a.png", "masks/day 1/b.jpg.png", "masks/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"never read")
    masks = {
        s.name: s.mask and s.mask.relative_to(tmp_path).as_posix() for s in find_sources(tmp_path, tmp_path / "out")
    }
    assert masks == {"a.jpg": "masks/a.png", "c.jpg": None, "day 1/b.jpg": "masks/day 1/b.jpg.png"}


def test_masks_that_belong_to_no_photo_are_reported(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name in ("a.jpg", "masks/0001.png"):
        (tmp_path / name).write_bytes(b"never read")
    with pytest.raises(JobError, match=r"No mask in .*/masks has the name of a photo; the first is 0001\.png\."):
        find_sources(tmp_path, tmp_path / "out")
