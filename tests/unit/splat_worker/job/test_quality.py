"""An empty scene and a collapsed training are failed jobs with advice; a poor scene is a scene."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from splat_worker.errors import Code, JobError, Stage
from splat_worker.job import pipeline
from splat_worker.job.quality import check_quality
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.scene import PosedPhotos, View
from splat_worker.train.core.context import HeldOut, TrainingFailed
from splat_worker.transfer.delivery import Folder


def figures(psnr_db: float, ssim: float, names: tuple[str, ...] = ("0001.jpg",)) -> HeldOut:
    return HeldOut(
        psnr_db=psnr_db,
        ssim=ssim,
        psnr_plain_db=psnr_db,
        psnr_fitted_db=max(psnr_db, 12.0),
        psnr_flat_db=12.0,
        names=names,
        width=9,
        height=9,
    )


def test_a_poor_scene_is_delivered():
    check_quality(figures(12.5, 0.3), shortened=True)


@pytest.mark.parametrize(
    ("names", "words"),
    [(("a.jpg",), "the photo that was kept back"), (("a.jpg", "b.jpg"), "the 2 photos that were kept back")],
)
def test_an_empty_scene_is_a_failure_with_the_reason_and_advice(names, words):
    with pytest.raises(JobError) as caught:
        check_quality(figures(5.3, 0.0004, names), shortened=False)
    assert caught.value.code is Code.TRAINING_FAILED
    assert words in caught.value.message
    assert "SSIM is 0.000" in caught.value.message
    assert "more photos" in caught.value.hint
    assert "time limit" not in caught.value.hint


def test_a_run_that_the_time_limit_cut_short_gets_its_advice_first():
    with pytest.raises(JobError) as caught:
        check_quality(figures(5.3, 0.0004), shortened=True)
    assert caught.value.hint.startswith("Set a longer time limit")


def train_stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, train):  # type: ignore[no-untyped-def]
    """The job's stage around a trainer, on two photos."""
    image = np.zeros((4, 4, 3), np.uint8)
    views = tuple(View(name=name, image=image, world_to_camera=np.eye(4), k=np.eye(3)) for name in ("a.jpg", "b.jpg"))
    points = np.zeros((5, 3), np.float32)
    posed = PosedPhotos(views=views, points=points, point_colours=points.astype(np.uint8))
    monkeypatch.setattr(pipeline, "posed_photos", lambda *_: posed)
    monkeypatch.setattr(pipeline, "train", train)
    run = JobRun(
        job=SceneJob(project_id="p"), scratch=tmp_path, delivery=Folder(path=tmp_path), on_event=lambda _event: None
    )
    return pipeline._train_stage(
        run,
        SimpleNamespace(photos=()),
        SimpleNamespace(),
        SimpleNamespace(kind="cpu"),
        SimpleNamespace(training=None, on_snapshot=None, on_checkpoint=None),
        resumed=SimpleNamespace(checkpoint=None),
    )


def test_a_collapse_fails_the_job_with_its_reason(monkeypatch, tmp_path):
    def train(*_):
        raise TrainingFailed("Training collapsed twice: all is black. Photos that do not fit: a.jpg.")

    with pytest.raises(JobError) as caught:
        train_stage(monkeypatch, tmp_path, train)
    assert (caught.value.code, caught.value.stage) == (Code.TRAINING_FAILED, Stage.TRAIN)
    assert caught.value.message == "Training collapsed twice: all is black. Photos that do not fit: a.jpg."


def test_an_empty_scene_fails_the_job_in_training(monkeypatch, tmp_path):
    trained = SimpleNamespace(metrics=figures(5.3, 0.0004), steps=10**6, left_out=())
    with pytest.raises(JobError) as caught:
        train_stage(monkeypatch, tmp_path, lambda *_: trained)
    assert (caught.value.code, caught.value.stage) == (Code.TRAINING_FAILED, Stage.TRAIN)


def test_photos_that_training_left_out_are_not_exported(monkeypatch, tmp_path):
    trained = SimpleNamespace(metrics=figures(20.0, 0.7), steps=10**6, left_out=("a.jpg",))
    posed, _ = train_stage(monkeypatch, tmp_path, lambda *_: trained)
    assert [view.name for view in posed.views] == ["b.jpg"]
