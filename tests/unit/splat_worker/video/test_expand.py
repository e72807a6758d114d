"""Clips among photos, from the files to the scene. Silent failures: frames out of order, a clip's fault that reads like
one of photos, a checkpoint of other frames."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from splat_worker import __main__ as cli
from splat_worker.contract.job_input import TrainOverrides
from splat_worker.errors import Code, JobError, Stage
from splat_worker.hashing import sha256_of
from splat_worker.job.pipeline import run_folder
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.photos.validation import Source
from splat_worker.progress import silent
from splat_worker.transfer.delivery import Folder
from splat_worker.video.expand import Expanded, File, expand


def files(*paths: Path) -> list[File]:
    return [File(source=Source(name=path.name, path=path), digest=sha256_of(path)) for path in paths]


def expanded(tmp_path: Path, *paths: Path) -> Expanded:
    return expand(files(*paths), tmp_path / "frames", side_max_px=400, seconds_left=None, on_progress=silent)


@pytest.fixture
def photo(still_life, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    return Path(shutil.copy(still_life.folder / still_life.names[0], tmp_path / "a.jpg"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    return tmp_path / "broken.mp4"


def test_frames_take_the_place_of_their_clip_among_photos(
    drawn_clip, photo: Path, broken: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    last = Path(shutil.copy(photo, tmp_path / "z.jpg"))
    found = expanded(tmp_path, photo, broken, drawn_clip.path, last)
    assert [source.name for source in found.sources[:1]] == ["a.jpg"]
    assert found.sources[-1].name == "z.jpg"
    assert [source.clip for source in found.sources[1:-1]] == ["walk.mp4"] * (len(found.sources) - 2)
    assert found.given == (
        "a.jpg", "broken.mp4", *(source.name for source in found.sources[1:-1]), "z.jpg"
    )  # fmt: skip
    assert [(rejected.name, rejected.code) for rejected in found.rejected] == [("broken.mp4", "UNREADABLE")]
    assert [video.name for video in found.videos] == ["walk.mp4"]
    assert len({digest for _, digest in found.digests}) == len(found.sources) - 1, "the photo is there twice"


def test_a_clip_alone_that_cannot_be_read_is_the_failure(broken: Path, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"^PHOTO_UNREADABLE: broken.mp4: The video is damaged or incomplete") as error:
        expanded(tmp_path, broken)
    assert "MP4 or MOV" in error.value.hint


def test_a_clip_that_stands_still_asks_for_a_walk(drawn_clip, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    film = drawn_clip.film
    begin, end = (round(15 * second) for second in film.still_s)
    clip = drawn_clip.encode(tmp_path / "still.mp4", film.frames[begin:end])
    with pytest.raises(JobError) as error:
        expanded(tmp_path, clip)
    assert error.value.code == Code.TOO_FEW_PHOTOS
    assert "still.mp4 shows the subject from 1 place" in error.value.message
    assert "stands still" in error.value.message
    assert "walk slowly" in error.value.hint


@pytest.mark.slow
def test_a_clip_becomes_a_scene_and_the_report_names_its_seconds(drawn_clip, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    job = SceneJob(project_id="walk", train=TrainOverrides(steps=60, size_px=200))
    out = tmp_path / "out"
    events = []
    run = JobRun(job=job, scratch=tmp_path, delivery=Folder(path=out), on_event=events.append)
    report = run_folder(run, [Source(name="walk.mp4", path=drawn_clip.path)])
    (video,) = report.videos
    assert report.photos.given == video.frames
    assert report.photos.registered == video.frames
    assert report.metrics.psnr_db is not None
    assert report.metrics.psnr_db > 14
    assert {gap.code for gap in video.dropped} == {"STILL", "BLURRED"}
    assert all(name.startswith("walk.mp4 0:0") for name in report.metrics.held_out)
    fractions = [event.fraction for event in events if event.stage == Stage.PHOTOS]
    assert fractions == sorted(fractions)
    assert (out / "scene.ply").stat().st_size > 10_000


def test_the_command_takes_a_clip_and_names_its_fault(
    broken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([str(broken), str(tmp_path / "out")]) == 1
    assert "PHOTO_UNREADABLE: broken.mp4: The video is damaged" in capsys.readouterr().err
