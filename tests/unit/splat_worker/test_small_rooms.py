"""Rooms too small for a file each: errors, limits, diagnosis, background work, checkpoints, PLY."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from splat_worker import limits
from splat_worker.background import Latest
from splat_worker.checkpoint import Checkpoint, fingerprint
from splat_worker.delivery import Folder
from splat_worker.diagnosis import Partners, Unplaced, diagnose, tally
from splat_worker.errors import Code, JobError, Stage, as_job_error
from splat_worker.export import FIDELITY_MAX_DB, fidelity_db
from splat_worker.extras import MATCHES_EVERY_S, Extras
from splat_worker.job import Rejected
from splat_worker.photos import Photo
from splat_worker.ply import read_ply, write_ply
from splat_worker.run import Run, SceneJob
from splat_worker.scene import Gaussians
from splat_worker.sparse import SparseCamera, SparseModel


class OutOfMemoryError(RuntimeError):
    """What torch calls its own."""


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (JobError(Code.SFM_FAILED, "m"), Code.SFM_FAILED),
        (MemoryError(), Code.OUT_OF_MEMORY),
        (OutOfMemoryError("CUDA out of memory at /home/x.py"), Code.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device: '/tmp/secret'"), Code.OUT_OF_DISK),
        (KeyboardInterrupt(), Code.CANCELLED),
        (ValueError("https://bucket.example/x?X-Amz-Signature=s"), Code.INTERNAL),
    ],
)
def test_anything_raised_becomes_a_code_and_only_our_own_words_are_shown(raised: BaseException, code: Code) -> None:
    error = as_job_error(raised, Stage.TRAIN)
    assert (error.code, error.stage) == (code, Stage.TRAIN)
    assert error.hint
    for text in (error.message, error.hint):
        assert "/" not in text.replace("docs/contracts", "")


def test_a_stage_that_is_known_is_not_overwritten() -> None:
    assert as_job_error(JobError(Code.SFM_FAILED, "m", stage=Stage.SFM), Stage.UPLOAD).stage is Stage.SFM


def test_a_job_that_does_not_fit_is_refused_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits.check_room(limits.Need(disk_bytes=1, memory_bytes=1), tmp_path)
    with pytest.raises(JobError) as disk:
        limits.check_room(limits.Need(disk_bytes=1 << 60, memory_bytes=1), tmp_path)
    assert disk.value.code is Code.OUT_OF_DISK
    monkeypatch.setattr(limits, "available_memory_bytes", lambda: 300 * limits.MIB)
    with pytest.raises(JobError) as memory:
        limits.check_room(limits.need_of(24, 10**8, 1000), tmp_path)
    assert memory.value.code is Code.OUT_OF_MEMORY
    assert "300 MiB" in memory.value.message


def test_the_need_grows_with_photos_and_size() -> None:
    few, many, large = (
        limits.need_of(10, 10**7, 1000),
        limits.need_of(100, 10**8, 1000),
        limits.need_of(10, 10**7, 2400),
    )
    assert few.memory_bytes < many.memory_bytes
    assert few.memory_bytes < large.memory_bytes
    assert few.disk_bytes < many.disk_bytes


def test_a_control_groups_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 300\nactive_file 50\n")
    assert limits._cgroup_bytes(tmp_path) == 450
    (tmp_path / "memory.max").write_text("max\n")
    assert limits._cgroup_bytes(tmp_path) == 1 << 62
    assert limits._cgroup_bytes(tmp_path / "absent") == 1 << 62


def photo(name: str, sharpness: float = 100.0) -> Photo:
    return Photo(name=name, path=Path(f"{name}"), width=100, height=100, sharpness=sharpness, camera_key="")


def test_each_photo_without_a_place_gets_the_reason_that_fits_it() -> None:
    photos = [photo(n) for n in ("in-1", "in-2", "in-3", "plain", "alone", "group-1", "group-2", "odd")]
    photos.append(photo("soft", sharpness=10))
    inliers = {
        "group-1": {"group-2": 60, "in-1": 8},
        "group-2": {"group-1": 60},
        "odd": {"in-1": 40, "in-2": 22},
        "alone": {"in-1": 14},
        "soft": {"in-1": 20},
    }
    partners = {
        p.name: Partners(keypoints=12 if p.name == "plain" else 4000, inliers=inliers.get(p.name, {})) for p in photos
    }
    found = diagnose(photos, {"in-1", "in-2", "in-3"}, partners)
    assert {r.name: r.code for r in found} == {
        "plain": Unplaced.FEW_KEYPOINTS,
        "alone": Unplaced.NO_PARTNER,
        "group-1": Unplaced.OTHER_GROUP,
        "group-2": Unplaced.OTHER_GROUP,
        "odd": Unplaced.NOT_PLACED,
        "soft": Unplaced.BLURRED,
    }
    assert all(r.reason.endswith(".") for r in found)


def test_the_tally_names_the_commonest_reason_first() -> None:
    codes = ["NO_PARTNER", "FEW_KEYPOINTS", "NO_PARTNER"]
    assert tally([Rejected(name=str(i), code=c, reason="") for i, c in enumerate(codes)]) == (
        " 2 share too little with any other and 1 show too little detail."
    )
    assert tally([]) == ""


def test_background_work_keeps_only_the_newest_and_survives_failures() -> None:
    done: list[int] = []
    started, go = threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        go.wait(5)
        done.append(1)
        raise RuntimeError("lost")

    latest = Latest("test")
    latest.offer(first)
    assert started.wait(5)
    assert not latest.idle
    for number in (2, 3, 4):
        latest.offer(lambda number=number: done.append(number))
    go.set()
    latest.close(finish=True)
    assert done == [1, 4]


def test_closing_without_finishing_drops_what_waits() -> None:
    done: list[int] = []
    started = threading.Event()

    def first() -> None:
        started.set()
        time.sleep(0.1)
        done.append(1)

    latest = Latest("test")
    latest.offer(first)
    assert started.wait(5)
    latest.offer(lambda: done.append(2))
    latest.close(finish=False)
    latest.offer(lambda: done.append(3))
    assert done == [1]


SPARSE = SparseModel(
    cameras=(
        SparseCamera(
            name="a.jpg", world_to_camera=np.eye(4), width=10, height=8, focal_px=9.5, cx=5, cy=4, k1=-0.02, seen=3
        ),
    ),
    points=np.ones((2, 3), np.float32),
    colours=np.full((2, 3), 7, np.uint8),
    tracks=np.array([2, 3], np.int32),
    reprojection_error_px=0.4,
    rung="relaxed",
    matching="exhaustive",
    tried={"default": 0, "relaxed": 1},
    rejected=(Rejected(name="b.jpg", code="NO_PARTNER", reason="r."),),
)


def test_a_checkpoint_comes_back_whole_and_only_for_its_own_job(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    Checkpoint(fingerprint="f", sparse=SPARSE, train=b"state").write(path)
    back = Checkpoint.read(path, "f")
    assert back is not None
    assert back.train == b"state"
    assert back.sparse.cameras[0].k1 == SPARSE.cameras[0].k1
    assert back.sparse.rejected == SPARSE.rejected
    assert np.array_equal(back.sparse.points, SPARSE.points)
    assert Checkpoint.read(path, "another") is None


def test_a_checkpoint_of_the_search_for_cameras_holds_its_database_and_no_training(tmp_path: Path) -> None:
    (tmp_path / "matches.copy.db").write_bytes(b"rows" * 1000)
    Checkpoint(fingerprint="f", matches=tmp_path / "matches.copy.db").write(tmp_path / "c.zip")
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "c.zip").rename(there / "c.zip")
    back = Checkpoint.read(there / "c.zip", "f")
    assert back is not None
    assert (back.sparse, back.train) == (None, None)
    assert back.matches == there / "matches.db"
    assert back.matches.read_bytes() == b"rows" * 1000


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


def test_the_end_waits_for_background_work_no_longer_than_it_is_told_to() -> None:
    go = threading.Event()
    latest = Latest("test")
    latest.offer(lambda: go.wait(30))
    began = time.monotonic()
    latest.close(finish=True, timeout_s=0.2)
    go.set()
    assert time.monotonic() - began < 5


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 0.999), flip=st.floats(0, 0.999))
@example(cut=0.0, flip=0.060546875)  # a part's length: zipfile raises EOFError
def test_a_damaged_checkpoint_means_starting_over_and_never_a_crash(
    cut: float, flip: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.zip"
    Checkpoint(fingerprint="f", sparse=SPARSE, train=b"state" * 50).write(path)
    whole = path.read_bytes()
    content = bytearray(whole[: int(cut * len(whole))])
    path.write_bytes(content)
    assert Checkpoint.read(path, "f") is None
    damaged = bytearray(whole)
    damaged[int(flip * len(whole))] ^= 0xFF
    path.write_bytes(damaged)
    back = Checkpoint.read(path, "f")
    assert back is None or back.train is None or back.train == b"state" * 50


def test_the_fingerprint_follows_content_order_and_settings() -> None:
    base = fingerprint([("a", "1"), ("b", "2")], {"preset": "preview"})
    assert base == fingerprint([("a", "1"), ("b", "2")], {"preset": "preview"})
    assert base != fingerprint([("a", "1"), ("b", "3")], {"preset": "preview"})
    assert base != fingerprint([("a", "1"), ("b", "2")], {"preset": "high"})


def gaussians(n: int = 40, rows: int = 4) -> Gaussians:
    rng = np.random.default_rng(0)
    return Gaussians(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        log_scales=rng.uniform(-5, -2, (n, 3)).astype(np.float32),
        quats=(lambda q: q / np.linalg.norm(q, axis=1, keepdims=True))(rng.normal(size=(n, 4))).astype(np.float32),
        opacity_logits=rng.normal(size=n).astype(np.float32),
        sh=rng.normal(size=(n, rows, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("rows", [1, 4, 9, 16])
def test_a_ply_reads_back_as_it_was_written(rows: int, tmp_path: Path) -> None:
    scene = gaussians(rows=rows)
    write_ply(tmp_path / "s.ply", scene)
    back = read_ply(tmp_path / "s.ply")
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        assert np.array_equal(getattr(back, name), getattr(scene, name)), name
    assert back.quats == pytest.approx(scene.quats, abs=1e-6)


def test_a_ply_has_the_columns_of_the_original_in_their_order(tmp_path: Path) -> None:
    write_ply(tmp_path / "s.ply", gaussians(rows=4))
    head = (tmp_path / "s.ply").read_bytes().split(b"end_header")[0].decode()
    names = [line.split()[-1] for line in head.splitlines() if line.startswith("property")]
    rest = [f"f_rest_{i}" for i in range(9)]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"), *rest,
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]  # fmt: skip


def test_a_scene_with_nan_is_not_written(tmp_path: Path) -> None:
    scene = gaussians()
    broken = replace(scene, means=np.where(np.arange(3) == 1, np.nan, scene.means).astype(np.float32))
    with pytest.raises(ValueError, match="not numbers"):
        write_ply(tmp_path / "s.ply", broken)
    assert not (tmp_path / "s.ply").exists()


def test_fidelity_is_the_psnr_of_two_pictures_and_has_a_ceiling() -> None:
    grey = np.full((4, 4, 3), 0.5, np.float32)
    assert fidelity_db(grey, grey) == FIDELITY_MAX_DB
    assert fidelity_db(grey, grey + np.float32(0.1)) == pytest.approx(20.0, abs=0.01)
