"""Checkpoints beside the search for cameras: one that cannot be made costs nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from splat_worker.job.checkpoint import Checkpoint
from splat_worker.job.extras import MATCHES_EVERY_S, Extras
from splat_worker.job.run import Run, SceneJob
from splat_worker.transfer.delivery import Folder


def test_matches_that_cannot_be_copied_cost_a_checkpoint_and_not_the_job(tmp_path: Path) -> None:
    class Kept(Folder):
        def save_checkpoint(self, path: Path) -> None:
            saved.append(Checkpoint.read(path, "f"))

    saved: list[Checkpoint | None] = []
    now = [0.0]
    run = Run(
        job=SceneJob(project_id="p"),
        scratch=tmp_path,
        delivery=Kept(path=tmp_path),
        on_event=lambda event: None,
        clock=lambda: now[0],
    )
    broken, whole = tmp_path / "broken.db", tmp_path / "whole.db"
    broken.write_bytes(b"no database" * 500)
    with contextlib.closing(sqlite3.connect(whole)) as db:
        db.execute("create table images (name text)")
        db.execute("insert into images values ('0001.jpg')")
        db.commit()
    with Extras(run, "f") as extras:
        extras.matches(whole)
        assert not (tmp_path / "matches.copy.db").exists(), "too early for one"
        now[0] = MATCHES_EVERY_S
        extras.matches(broken)
        now[0] *= 2
        extras.matches(whole)
        end = time.monotonic() + 10
        while not saved and time.monotonic() < end:
            time.sleep(0.01)
    assert len(saved) == 1
    assert saved[0] is not None
    assert saved[0].matches is not None
    with contextlib.closing(sqlite3.connect(saved[0].matches)) as db:
        assert db.execute("select name from images").fetchall() == [("0001.jpg",)]
