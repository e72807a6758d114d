"""The pipeline from a shell: unusable folders are reported before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from splat_worker import __main__ as shell
from splat_worker.errors import Code, JobError
from splat_worker.photos.validation import Source


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"never read")
    return folder


def test_an_output_folder_that_cannot_be_created_fails_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", lambda *_: pytest.fail("the work began"))
    (tmp_path / "file").touch()
    assert shell.main([str(photos), str(tmp_path / "file" / "out")]) == 1
    errors = capsys.readouterr().err
    assert f"BAD_INPUT: Cannot write to {tmp_path / 'file' / 'out'}: Not a directory." in errors
    assert "--user" in errors


def test_a_folder_without_read_permission_is_reported(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuses)
    assert shell.main([str(photos), str(tmp_path / "out")]) == 1
    assert f"BAD_INPUT: You have no permission to read {photos}." in capsys.readouterr().err


@pytest.mark.parametrize("given", [["nowhere"], ["photos"]])
def test_a_missing_or_empty_folder_creates_no_output_folder(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    assert shell.main([str(tmp_path / given[0]), str(tmp_path / "out")]) == 1
    assert "hint: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_photos_are_sorted_in_natural_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["IMG_1.jpg", "IMG_2.jpg", "img_9.JPG", "IMG_10.jpg", "IMG_10b.jpg", "IMG_100.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(b"never read")
    handed: list[str] = []

    def stop(run: object, sources: list[Source]) -> None:
        handed.extend(source.name for source in sources)
        raise JobError(Code.SFM_FAILED, "enough")

    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", stop)
    assert shell.main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert handed == names
