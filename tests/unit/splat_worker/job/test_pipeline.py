"""The whole pipeline on drawn photos without a cloud, and a table of sets that cannot become a scene.
Silent failures: an upside-down scene, a resume that starts over, an error without a hint."""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from splat_worker import __main__ as cli
from splat_worker.contract.job_input import Preset, Price, TrainOverrides, parse_input
from splat_worker.contract.job_report import Report
from splat_worker.errors import JobError, Stage
from splat_worker.export.ply import read_ply
from splat_worker.export.splat_transform import convert
from splat_worker.job.checkpoint import Checkpoint
from splat_worker.job.pipeline import run_folder, run_input
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.photos.validation import Source
from splat_worker.progress import Event
from splat_worker.train.backdrop import DIRECTIONS
from splat_worker.transfer.delivery import Folder
from splat_worker.transfer.transfer import Fetched, Transfer
from tests.unit.splat_worker.photo_sets import PAGE, SETS, Files

PRICE = Price(gpu="RTX 4090", usd_per_s=0.00031, as_of="2026-11-23")
JOB = SceneJob(project_id="drawn", train=TrainOverrides(steps=150, size_px=200), price=PRICE)


def sources_of(folder: Path) -> list[Source]:
    return [Source(name=path.name, path=path) for path in sorted(folder.iterdir())]


class Events(list[Event]):
    def __call__(self, event: Event) -> None:
        self.append(event)


@pytest.fixture(scope="module")
def made(still_life, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """(report, folder, events) of one run."""
    out, events = tmp_path_factory.mktemp("made"), Events()
    run = JobRun(job=JOB, scratch=tmp_path_factory.mktemp("scratch"), delivery=Folder(path=out), on_event=events)
    return run_folder(run, sources_of(still_life.folder)), out, events


@pytest.mark.slow
def test_every_artifact_exists_and_matches_the_report(made) -> None:  # type: ignore[no-untyped-def]
    report, out, _ = made
    assert set(report.artifacts) == {
        "scene.ply",
        "scene.sog",
        "scene.spz",
        "poster.webp",
        "thumbnail.webp",
        "cameras.json",
    }
    for name, artifact in report.artifacts.items():
        assert (out / name).stat().st_size == artifact.bytes
    assert Report.model_validate_json((out / "report.json").read_text()) == report


@pytest.mark.slow
def test_the_report_has_photos_quality_seconds_and_price(made) -> None:  # type: ignore[no-untyped-def]
    report, _, _ = made
    assert (report.photos.given, report.photos.registered, report.photos.rejected) == (12, 12, ())
    assert report.metrics.psnr_db is not None
    assert report.metrics.psnr_db > 12
    assert report.metrics.held_out
    assert set(report.metrics.export_fidelity_db) == {"scene.sog", "scene.spz"}
    assert min(report.metrics.export_fidelity_db.values()) > 30
    assert [stage.stage for stage in report.stages] == list(Stage)
    assert report.price is not None
    # billed seconds are rounded to a tenth
    assert report.price.billed_s == pytest.approx(sum(s.seconds for s in report.stages), abs=0.051)
    assert report.price.usd == pytest.approx(report.price.billed_s * 0.00031, abs=1e-6)
    assert report.price.estimate is (report.device.kind == "cpu")
    assert 100 < report.peak_memory_mb < 8000
    removed = report.metrics.floaters_removed
    assert any(f"{removed} Gaussians were removed" in w for w in report.warnings) is (removed > 0)
    assert report.up is not None
    assert report.up.known
    assert report.versions["pycolmap"]


@pytest.mark.slow
def test_progress_reports_stages_in_order_and_never_falls_within_a_stage(made) -> None:  # type: ignore[no-untyped-def]
    _, _, events = made
    assert list(dict.fromkeys(event.stage for event in events)) == list(Stage)
    for stage in Stage:
        fractions = [event.fraction for event in events if event.stage == stage]
        assert fractions == sorted(fractions), stage
    assert events[-1] == Event(stage=Stage.UPLOAD, fraction=1.0, message="Done")


@pytest.mark.slow
def test_the_exported_scene_is_upright_centred_and_of_unit_size(made, still_life) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = made
    content = json.loads((out / "cameras.json").read_text())
    assert content["up"] == [0.0, -1.0, 0.0]
    assert content["start"] in {camera["name"] for camera in content["cameras"]}
    by_name = {camera["name"]: camera for camera in content["cameras"]}
    for name, pose in zip(still_life.names, still_life.poses, strict=True):
        camera = by_name[name]
        down = np.array(camera["rotation"])[:, 1]
        assert camera["position"][1] < 0, "cameras are above the table: y points down"
        assert down @ [0, 1, 0] == pytest.approx(pose[1, :3] @ [0, 1, 0], abs=0.03), "the true tilt"
        ahead = np.array(camera["rotation"])[:, 2]
        assert ahead @ -np.array(camera["position"]) > 0, "it looks towards the origin"
    means = read_ply(out / "scene.ply").means[:-DIRECTIONS]  # without the backdrop
    assert np.linalg.norm(np.median(means, axis=0)) < 0.6
    assert 0.2 < np.percentile(np.linalg.norm(means, axis=1), 70) < 2.0


@pytest.mark.slow
def test_the_table_shows_the_loss_from_compression(made) -> None:  # type: ignore[no-untyped-def]
    report, out, _ = made
    shown = cli.table(report, out)
    for name, loss in report.metrics.export_fidelity_db.items():
        assert re.search(rf"{name} .* kB, {loss:.1f} dB compared", shown)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["scene.sog", "scene.spz"])
def test_a_compressed_scene_reads_back_with_the_same_positions(name: str, made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = made
    convert(out / name, tmp_path / "back.ply")
    back, original = read_ply(tmp_path / "back.ply"), read_ply(out / "scene.ply")
    assert len(back) == len(original)
    for axis in range(3):
        assert np.sort(back.means[:, axis]) == pytest.approx(np.sort(original.means[:, axis]), abs=0.02)
    assert (out / name).stat().st_size < (out / "scene.ply").stat().st_size


@pytest.mark.slow
def test_the_poster_has_no_tags(made) -> None:  # type: ignore[no-untyped-def]
    _, out, _ = made
    poster = Image.open(out / "poster.webp")
    assert max(poster.size) == 960
    assert len(poster.getexif()) == 0
    assert np.asarray(poster.convert("L"), float).std() > 10
    with Image.open(out / "thumbnail.webp") as small:
        assert max(small.size) == 400
    assert (out / "thumbnail.webp").stat().st_size < 30_000
    assert small.width / small.height == pytest.approx(poster.width / poster.height, abs=0.01)


class Interrupted(Exception):
    pass


@pytest.mark.slow
def test_a_run_interrupted_in_training_resumes_after_the_cameras(still_life, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"

    def until_training(event: Event) -> None:
        if event.stage == Stage.TRAIN and event.fraction > 0:
            raise Interrupted

    def run(name: str, job: SceneJob, listener: Callable[[Event], None]) -> Report:
        scratch = tmp_path / name
        scratch.mkdir()
        delivery = Folder(path=out, wanted=frozenset({"scene.ply"}))
        return run_folder(
            JobRun(job=job, scratch=scratch, delivery=delivery, on_event=listener), sources_of(still_life.folder)
        )

    with pytest.raises(JobError):
        run("first", JOB, until_training)
    events = Events()
    report = run("second", JOB, events)
    assert report.resumed_from is Stage.SFM
    assert "Camera positions restored from the checkpoint" in [event.message for event in events]
    assert report.photos.registered == 12
    assert set(report.artifacts) == {"scene.ply"}
    other = SceneJob(project_id="drawn", train=TrainOverrides(steps=20, size_px=120), preset=Preset.STANDARD)
    assert run("third", other, Events()).resumed_from is None, "other settings must not use this checkpoint"


def archive_member(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def members(checkpoint: Path, prefix: str) -> list[str]:
    with zipfile.ZipFile(checkpoint) as archive:
        return [name for name in archive.namelist() if name.startswith(prefix)]


@pytest.mark.slow
def test_a_run_interrupted_while_finding_cameras_resumes_there(
    still_life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("splat_worker.job.extras.MATCHES_EVERY_S", 0.0)
    monkeypatch.setattr("splat_worker.job.extras.MATCHES_COPY_SHARE_MAX", 1.0)
    monkeypatch.setattr("splat_worker.sfm.matching.match.MATCH_CHUNK", 20)
    monkeypatch.setattr("splat_worker.sfm.mapping.mapper.SNAPSHOT_EVERY_PHOTOS", 3)
    out = tmp_path / "out"
    saved = out / ".checkpoint"

    def until_saved(event: Event, message: str = "Comparing", member: str = "matches.db") -> None:
        if event.message.startswith(message):
            end = time.monotonic() + 10
            while not (saved.exists() and members(saved, member)) and time.monotonic() < end:
                time.sleep(0.05)
            raise Interrupted

    def run(name: str, listener: Callable[[Event], None]) -> Report:
        (tmp_path / name).mkdir()
        delivery = Folder(path=out, wanted=frozenset({"scene.ply"}))
        return run_folder(
            JobRun(job=JOB, scratch=tmp_path / name, delivery=delivery, on_event=listener),
            sources_of(still_life.folder),
        )

    with pytest.raises(JobError):
        run("first", until_saved)
    whole = saved.read_bytes()
    fingerprint = json.loads(archive_member(whole, "manifest.json"))["fingerprint"]
    (tmp_path / "damaged.db").write_bytes(archive_member(whole, "matches.db")[:30_000])
    Checkpoint(fingerprint=fingerprint, matches=tmp_path / "damaged.db").write(saved)
    anew = Events()
    with pytest.raises(JobError):
        run("over a damaged copy", lambda event: (anew.append(event), until_saved(event)))
    assert "Finding features: 8 of 12 photos" in [event.message for event in anew]
    assert "starting from the beginning" in caplog.text

    saved.write_bytes(whole)

    def placing_slowly(event: Event) -> None:
        if event.message.startswith("Placing"):
            time.sleep(0.2)  # let the previous checkpoint finish
        until_saved(event, "Placing cameras: 11", "partial/")

    with pytest.raises(JobError):
        run("lost while placing", placing_slowly)
    assert members(saved, "partial/default/images.bin")
    events = Events()
    report = run("second", events)
    assert report.resumed_from is Stage.PHOTOS
    assert report.photos.registered == 12
    messages = [event.message for event in events if event.stage is Stage.SFM]
    assert "Finding features: 8 of 12 photos" not in messages
    placing = [message for message in messages if message.startswith("Placing")]
    assert messages.index(placing[0]) <= 1, "no feature and no pair is computed again"
    assert int(placing[0].split()[2]) > 3, "placing resumes from the partial model"
    assert placing[-1] == "Placing cameras: 12 of 12"


@pytest.mark.slow
def test_a_time_limit_that_leaves_no_time_for_training_fails_with_the_limit(still_life, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    now = [0.0]

    def slow_clock() -> float:
        now[0] += 0.01
        return now[0]

    def hurry(event: Event) -> None:
        if event.stage == Stage.SFM:
            now[0] += 100.0

    run = JobRun(
        job=SceneJob(project_id="late", seconds_max=60),
        scratch=tmp_path,
        delivery=Folder(path=tmp_path / "out", keeps_checkpoints=False),
        on_event=hurry,
        clock=slow_clock,
    )
    with pytest.raises(JobError) as caught:
        run_folder(run, sources_of(still_life.folder))
    assert caught.value.code == "TIME_LIMIT"
    assert "60 s" in caught.value.message


@pytest.mark.parametrize(("free", "code"), [("disk", "OUT_OF_DISK"), ("memory", "OUT_OF_MEMORY")])
def test_a_job_that_does_not_fit_fails_before_any_download(
    free: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Untouched(Transfer):
        def fetch_photos(self, *_: object, **__: object) -> tuple[Fetched, ...]:
            raise AssertionError("the photos were requested")

    if free == "disk":
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=20 << 20))
    else:
        monkeypatch.setattr("splat_worker.limits.available_memory_bytes", lambda: 20 << 20)
    photos = [{"name": f"{i}.jpg", "url": f"https://photos.example/{i}"} for i in range(8)]
    job = parse_input(
        {"version": 1, "project_id": "p", "photos": photos, "outputs": {"scene.ply": "https://photos.example/out"}}
    )
    with Untouched() as transfer, pytest.raises(JobError) as caught:
        run_input(job, tmp_path, Events(), transfer)
    assert (caught.value.code, caught.value.stage) == (code, Stage.DOWNLOAD)
    assert "20 MiB" in caught.value.message


@pytest.fixture(scope="module")
def originals(still_life) -> list[bytes]:  # type: ignore[no-untyped-def]
    return [(still_life.folder / name).read_bytes() for name in still_life.names]


ROWS = [pytest.param(*row, id=name, marks=[pytest.mark.slow] if row[1] == "SFM_FAILED" else []) for name, *row in SETS]


@pytest.mark.parametrize(("make", "code", "words"), ROWS)
def test_a_set_that_cannot_become_a_scene_fails_with_a_message_and_a_hint(  # noqa: PLR0917
    make: Callable[[list[bytes]], Files],
    code: str,
    words: str,
    originals: list[bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, content in make(originals).items():
        (folder / name).write_bytes(content)
    status = cli.main([str(folder), str(tmp_path / "out"), "--steps", "10"])
    shown = capsys.readouterr()
    first, hint = shown.err.strip().splitlines()[-2:]
    assert status == 1
    assert shown.out == ""
    assert first.startswith(f"{code}: ")
    assert words in first
    assert re.fullmatch(r"hint: .{20,}\.", hint)
    assert "Traceback" not in shown.err
    assert str(tmp_path / "splat-") not in shown.err


def test_the_table_of_sets_is_complete_in_the_docs() -> None:
    assert len(SETS) >= 30
    page = PAGE.read_text()
    missing = [name for name, _, code, words in SETS if not re.search(rf"\| {name} \| `{code}` \| .*{words}", page)]
    assert not missing, "run: python -m tests.unit.splat_worker.photo_sets"


@pytest.mark.slow
def test_photos_with_an_alpha_channel_become_the_subject_alone(alone, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "out"
    run = JobRun(job=JOB, scratch=tmp_path / "scratch", delivery=Folder(path=out), on_event=Events())
    run.scratch.mkdir()
    report = run_folder(run, sources_of(alone.folder))
    assert report.photos.registered >= 11
    assert report.metrics.psnr_db is not None
    assert report.metrics.psnr_db > 12
    scene, cameras = read_ply(out / "scene.ply"), json.loads((out / "cameras.json").read_text())["cameras"]
    placed = np.array([camera["position"] for camera in cameras])
    true = alone.centres[[alone.names.index(camera["name"]) for camera in cameras]]
    scale, rotation, shift = similarity(placed, true)
    means = scale * scene.means @ rotation.T + shift
    beyond = np.abs(means[:, [0, 2]]).max(axis=1) > 0.75 + 0.1
    assert beyond.mean() < 0.01, "nothing around the table, and no backdrop"
    assert report.size is not None
    assert report.size.metres_per_unit == pytest.approx(40 * scale, rel=0.02)
    assert report.size.width_m == pytest.approx(40 * 2 * 0.75, rel=0.35), "of the table, whose corners may be left out"
    about = json.loads((out / "cameras.json").read_text())
    assert about["metres_per_unit"] == pytest.approx(report.size.metres_per_unit, rel=1e-4)
    assert "place" not in about
    poster = Image.open(out / "poster.webp")
    alpha = np.asarray(poster.getchannel("A"))
    assert alpha[2:20, 2:-2].max() < 30, "the poster is transparent around the subject"
    assert (alpha > 200).mean() > 0.15


def similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """(scale, rotation, shift) with the least squared error of scale * rotation @ source + shift (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (a**2).sum())
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)
