"""The failures a job can end with: a stable code, a message for people, and a hint with the next step.
Messages contain no traceback, address or key; an unexpected exception becomes INTERNAL without its text.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why a job failed (docs/contracts.md). For a photo that is left out see photos.reject.Reject."""

    BAD_INPUT = "BAD_INPUT"
    TOO_FEW_PHOTOS = "TOO_FEW_PHOTOS"
    PHOTO_UNREADABLE = "PHOTO_UNREADABLE"
    DOWNLOAD_FAILED = "DOWNLOAD_FAILED"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    SFM_FAILED = "SFM_FAILED"
    TRAINING_FAILED = "TRAINING_FAILED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUT_OF_DISK = "OUT_OF_DISK"
    TIME_LIMIT = "TIME_LIMIT"
    CANCELLED = "CANCELLED"
    INTERNAL = "INTERNAL"


class Stage(StrEnum):
    """The stages of a job, in order."""

    DOWNLOAD = "download"
    PHOTOS = "photos"
    SFM = "sfm"
    TRAIN = "train"
    EXPORT = "export"
    UPLOAD = "upload"


HINTS: dict[Code, str] = {
    Code.BAD_INPUT: "Check the job's input against docs/contracts/job-input.schema.json.",
    Code.TOO_FEW_PHOTOS: "Add photos from more sides. Each should overlap its neighbours by about two thirds.",
    Code.PHOTO_UNREADABLE: "Use JPEG, PNG, WebP, HEIC or AVIF photos as the camera made them, not screenshots of them.",
    Code.DOWNLOAD_FAILED: "Start the job again. Its presigned URLs may have expired.",
    Code.UPLOAD_FAILED: "Start the job again. Its presigned URLs may have expired.",
    Code.SFM_FAILED: "Walk around the subject in small steps, so that each photo shows two thirds of the next one."
    " Put something textured beside shiny, transparent or plain surfaces.",
    Code.TRAINING_FAILED: "Take more photos of the same subject, so that each shows two thirds of the next one. Leave"
    " out photos that the message names, photos with moving subjects, and photos of other places.",
    Code.OUT_OF_MEMORY: "Choose a smaller preset or use fewer photos.",
    Code.OUT_OF_DISK: "Use fewer photos. Operators can raise `diskGb`.",
    Code.TIME_LIMIT: "Choose a smaller preset or use fewer photos. Operators can raise `jobSecondsMax`.",
    Code.CANCELLED: "Start the job again if you still want the scene.",
    Code.INTERNAL: "Start the job again. If it fails again, operators find the cause in the worker's log.",
}
"""Keys in backticks are keys of Pulumi.yaml; a test compares them."""


class JobError(Exception):
    """A failure with a code that the caller can act on. People see `message` unchanged."""

    def __init__(self, code: Code, message: str, *, stage: Stage | None = None, hint: str | None = None) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code = code
        self.message = message
        self.stage = stage
        self.hint = hint or HINTS[code]

    def at(self, stage: Stage) -> JobError:
        """The same failure, with this stage if it had none."""
        self.stage = self.stage or stage
        return self


def as_job_error(error: BaseException, stage: Stage | None) -> JobError:
    """Map any exception to a JobError. Unknown exceptions lose their text."""
    if isinstance(error, JobError):
        return error.at(stage) if stage else error
    if isinstance(error, KeyboardInterrupt):
        return JobError(Code.CANCELLED, "The job was cancelled.", stage=stage)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return JobError(Code.OUT_OF_MEMORY, "The worker ran out of memory.", stage=stage)
    if isinstance(error, OSError) and error.errno in (28, 122):  # ENOSPC, EDQUOT
        return JobError(Code.OUT_OF_DISK, "The worker's disk is full.", stage=stage)
    return JobError(Code.INTERNAL, f"An unexpected error occurred in the worker ({type(error).__name__}).", stage=stage)


def time_limit_error(seconds_max: float | None) -> JobError:
    return JobError(Code.TIME_LIMIT, f"The job exceeded its time limit of {seconds_max:.0f} s.")
