"""Any exception becomes a failure with a code and without its text, and hints name real configuration keys."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from splat_worker.errors import HINTS, Code, JobError, Stage, as_job_error


class OutOfMemoryError(RuntimeError):
    """torch has one of the same name."""


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
def test_any_exception_becomes_a_code_without_its_text(raised: BaseException, code: Code) -> None:
    error = as_job_error(raised, Stage.TRAIN)
    assert (error.code, error.stage) == (code, Stage.TRAIN)
    assert error.hint
    for text in (error.message, error.hint):
        assert "/" not in text.replace("docs/contracts", "")


def test_a_known_stage_is_not_overwritten() -> None:
    assert as_job_error(JobError(Code.SFM_FAILED, "m", stage=Stage.SFM), Stage.UPLOAD).stage is Stage.SFM


def test_every_key_in_a_hint_is_a_configuration_key() -> None:
    project = (Path(__file__).parents[3] / "Pulumi.yaml").read_text().partition("\nconfig:\n")[2]
    keys = set(re.findall(r"^  (\w+):$", project, re.MULTILINE))
    named = {key for hint in HINTS.values() for key in re.findall(r"`([^`]+)`", hint)}
    assert len(keys) > 20
    assert named == {"diskGb", "jobSecondsMax"}
    assert named <= keys
