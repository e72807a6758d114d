"""An empty scene is a failed job with advice; a poor one is a scene."""

from __future__ import annotations

import pytest

from splat_worker.errors import Code, JobError
from splat_worker.job.quality import check_quality
from splat_worker.train.core.context import HeldOut


def figures(psnr_db: float, ssim: float, names: tuple[str, ...] = ("0001.jpg",)) -> HeldOut:
    return HeldOut(
        psnr_db=psnr_db, ssim=ssim, psnr_fitted_db=max(psnr_db, 12.0), psnr_flat_db=12.0, names=names, width=9, height=9
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
