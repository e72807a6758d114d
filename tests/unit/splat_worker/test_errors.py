"""Whatever is raised becomes a failure with a code, in our own words alone."""

from __future__ import annotations

import errno

import pytest

from splat_worker.errors import Code, JobError, Stage, as_job_error


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
