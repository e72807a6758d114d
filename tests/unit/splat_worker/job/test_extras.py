"""Checkpoints during the search for cameras: when they are made, what they hold, and that a failed one is harmless."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from splat_worker.job import extras
from splat_worker.job.checkpoint import Checkpoint
from splat_worker.job.extras import MATCHES_EVERY_S, TOO_LARGE, Extras, most_visible
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.progress import Event
from splat_worker.scene import Gaussians
from splat_worker.sfm.resume import PartialModel
from splat_worker.transfer.delivery import Folder


def until(beside: Extras, saved: list[int], count: int) -> None:
    """Wait for this many checkpoints, and for the thread that sent them: only then may the next be due."""
    latest = beside._latest_checkpoint
    assert latest is not None
    end = time.monotonic() + 30
    while (len(saved) < count or not latest.idle) and time.monotonic() < end:
        time.sleep(0.01)
    assert len(saved) == count


@dataclass(frozen=True)
class RecordingFolder(Folder):
    """Counts the descriptors of every saved checkpoint; blocks while `open` is clear."""

    path: Path = Path()
    saved: list[int] = field(default_factory=list)
    partial: list[str | None] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    sending: threading.Event = field(default_factory=threading.Event)

    def save_checkpoint(self, path: Path) -> None:
        self.sending.set()
        assert self.open.wait(10)
        back = Checkpoint.read(path, "f")
        assert back is not None
        assert back.matches is not None
        self.partial.append(back.partial and back.partial.rung)
        with contextlib.closing(sqlite3.connect(back.matches)) as db:
            assert db.execute("SELECT name FROM images").fetchall() == [("0001.jpg",)]
            self.saved.append(db.execute("SELECT count(*) FROM descriptors").fetchone()[0])


class Search:
    """A search for cameras with a database of one photo; its clock reads `now`."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.events: list[Event] = []
        self.database, self.delivery = folder / "matches.db", RecordingFolder(path=folder)
        self.delivery.open.set()
        self.run = JobRun(
            job=SceneJob(project_id="p"),
            scratch=folder,
            delivery=self.delivery,
            on_event=self.events.append,
            clock=lambda: self.now,
        )


@pytest.fixture
def search(tmp_path: Path) -> Search:
    made = Search(tmp_path)
    with contextlib.closing(sqlite3.connect(made.database)) as db:
        db.execute("CREATE TABLE images (name TEXT)")
        db.execute("INSERT INTO images VALUES ('0001.jpg')")
        db.execute("CREATE TABLE descriptors (data BLOB)")
        db.execute("INSERT INTO descriptors VALUES (zeroblob(100000))")
        db.commit()
    return made


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every copy of the database, in order."""
    made: list[Path] = []
    copy = extras.copy_database
    monkeypatch.setattr(extras, "copy_database", lambda *of, **how: made.append(of[1]) or copy(*of, **how))
    return made


def test_a_search_shorter_than_the_interval_makes_no_checkpoint(search: Search) -> None:
    with Extras(search.run, "f") as beside:
        search.now = MATCHES_EVERY_S - 0.1
        beside.matches(search.database, complete=False)
        beside.matches(search.database, complete=True)
    assert search.delivery.saved == []
    assert not list(search.run.scratch.glob("matches.c*"))


def test_matches_are_saved_every_interval_and_once_more_without_descriptors_when_complete(search: Search) -> None:
    with Extras(search.run, "f") as beside:
        search.now = MATCHES_EVERY_S
        beside.matches(search.database, complete=False)
        until(beside, search.delivery.saved, 1)
        search.now += MATCHES_EVERY_S / 2
        beside.matches(search.database, complete=False)
        beside.matches(search.database, complete=True)
        until(beside, search.delivery.saved, 2)
    assert search.delivery.saved == [1, 0]
    assert search.run.warnings == []
    assert not list(search.run.scratch.glob("matches.c*")), "copies take disk space that the job may need"


def test_partial_models_are_saved_every_interval_with_one_copy_of_the_database(
    search: Search, copies: list[Path]
) -> None:
    with Extras(search.run, "f") as beside:
        beside.matches(search.database, complete=True)
        for number in range(1, 7):
            search.now = number * MATCHES_EVERY_S / 2
            partial = PartialModel(rung=f"after {search.now:.0f} s", files={"cameras.bin": bytes(8)})
            beside.matches(search.database, complete=True, partial=partial)
            until(beside, search.delivery.saved, number // 2)
        assert search.delivery.partial == ["after 10 s", "after 20 s", "after 30 s"]
        assert search.delivery.saved == [0, 0, 0]
        assert len(copies) == 1
        assert copies[0].exists()
    assert not copies[0].exists()


def test_during_an_upload_only_the_complete_database_is_copied(search: Search, copies: list[Path]) -> None:
    with Extras(search.run, "f") as beside:
        search.delivery.open.clear()
        for _ in range(3):
            search.now += MATCHES_EVERY_S
            beside.matches(search.database, complete=False)
            # Until its upload begins, a checkpoint may still be replaced by a newer one.
            assert search.delivery.sending.wait(10)
        beside.matches(search.database, complete=True)
        search.delivery.open.set()
        until(beside, search.delivery.saved, 2)
    assert search.delivery.saved == [1, 0]
    assert len(set(copies)) == len(copies) == 2, "the copy being sent must not change"


def test_slow_copies_are_made_less_often(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 s of copying is 2 % of 50 s."""

    def slow(source: Path, target: Path, *, descriptors: bool) -> None:
        copies.append(search.now)
        search.now += 1.0
        copy(source, target, descriptors=descriptors)

    copies: list[float] = []
    copy = extras.copy_database
    monkeypatch.setattr(extras, "copy_database", slow)
    with Extras(search.run, "f") as beside:
        for number in range(1, 16):
            search.now = 10.0 * number
            beside.matches(search.database, complete=False)
            until(beside, search.delivery.saved, len(copies))
    assert copies == [10.0, 60.0, 110.0]


def test_a_database_over_the_limit_is_not_saved_and_warned_about_once(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "MATCHES_BYTES_MAX", 50_000)
    with Extras(search.run, "f") as beside:
        for _ in range(3):
            search.now += MATCHES_EVERY_S
            beside.matches(search.database, complete=False)
        assert search.run.warnings == [TOO_LARGE]
        beside.matches(search.database, complete=True)
        until(beside, search.delivery.saved, 1)
    assert search.delivery.saved == [0], "it is small enough without descriptors"
    assert search.run.warnings == [TOO_LARGE]


def test_a_failed_copy_costs_a_checkpoint_and_not_the_job(search: Search) -> None:
    broken = search.run.scratch / "broken.db"
    broken.write_bytes(b"no database" * 500)
    with Extras(search.run, "f") as beside:
        search.now = MATCHES_EVERY_S
        beside.matches(broken, complete=False)
        search.now *= 2
        beside.matches(search.database, complete=False)
        until(beside, search.delivery.saved, 1)
    assert search.delivery.saved == [1]


def test_the_cameras_of_a_partial_model_are_shown_with_the_progress_of_the_search(
    search: Search, tmp_path: Path
) -> None:
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs, options.num_cameras_per_rig, options.num_frames_per_rig, options.num_points3D = 1, 1, 7, 20
    folder = tmp_path / "model"
    folder.mkdir()
    pycolmap.synthesize_dataset(options).write_binary(str(folder))
    with Extras(search.run, "f") as beside:
        beside.finding(0.4, "Placing cameras: 7 of 12")
        beside.matches(search.database, complete=True, partial=PartialModel.of("usual", folder))
        # One that cannot be read shows nothing, and fails nothing.
        beside.matches(search.database, complete=True, partial=PartialModel(rung="usual", files={"images.bin": b"?"}))
    shown = [event for event in search.events if event.cameras is not None]
    assert [(event.fraction, event.message, len(event.cameras or ())) for event in shown] == [
        (0.4, "Placing cameras: 7 of 12", 7)
    ]


def test_a_preview_holds_the_gaussians_that_cover_most() -> None:
    flat = np.full((6, 3), -5.0, np.float32)
    flat[:, :2] += np.log([[1.0], [3.0], [2.0], [9.0], [5.0], [4.0]])  # areas 1, 9, 4, 81, 25, 16
    logits = np.full(6, 3.0, np.float32)
    logits[3] = -6.0  # almost transparent
    scene = Gaussians(
        means=np.arange(18, dtype=np.float32).reshape(6, 3), log_scales=flat,
        quats=np.tile(np.array([1, 0, 0, 0], np.float32), (6, 1)), opacity_logits=logits,
        sh=np.zeros((6, 1, 3), np.float32),
    )  # fmt: skip
    assert most_visible(scene, 6) is scene
    assert most_visible(scene, 3).means[:, 0].tolist() == [3.0, 12.0, 15.0], "in their order"
