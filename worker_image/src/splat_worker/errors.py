"""The failures a job can end with: stable codes, a sentence for people, and the next step.
Never holds a traceback, an address or a key; whatever is unforeseen becomes INTERNAL without its text.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why a job failed, as published in docs/contracts.md. Not a reason to leave one photo out: see Reject."""

    BAD_INPUT = "BAD_INPUT"
    TOO_FEW_PHOTOS = "TOO_FEW_PHOTOS"
    PHOTO_UNREADABLE = "PHOTO_UNREADABLE"
    DOWNLOAD_FAILED = "DOWNLOAD_FAILED"
    UPLOAD_FAILED = "UPLOAD_FAILED"
    SFM_FAILED = "SFM_FAILED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUT_OF_DISK = "OUT_OF_DISK"
    TIME_LIMIT = "TIME_LIMIT"
    CANCELLED = "CANCELLED"
    INTERNAL = "INTERNAL"


class Stage(StrEnum):
    """Where a job is, in this order."""

    DOWNLOAD = "download"
    PHOTOS = "photos"
    SFM = "sfm"
    TRAIN = "train"
    EXPORT = "export"
    UPLOAD = "upload"


HINTS: dict[Code, str] = {
    Code.BAD_INPUT: "Compare the job's input with docs/contracts/job-input.schema.json.",
    Code.TOO_FEW_PHOTOS: "Add photos taken from more sides, each overlapping its neighbours by about two thirds.",
    Code.PHOTO_UNREADABLE: "Send JPEG, PNG, WebP or HEIC photos straight from the camera, not screenshots of them.",
    Code.DOWNLOAD_FAILED: "Start the job again; presigned addresses may have expired.",
    Code.UPLOAD_FAILED: "Start the job again; presigned addresses may have expired.",
    Code.SFM_FAILED: "Walk around the subject in small steps and keep two thirds of each picture in the next one;"
    " shiny, transparent and plain surfaces need something textured beside them.",
    Code.OUT_OF_MEMORY: "Choose a smaller preset or fewer photos, or a worker with more memory.",
    Code.OUT_OF_DISK: "Give the worker more disk (settings: endpoint.disk_gb) or send fewer photos.",
    Code.TIME_LIMIT: "Choose a smaller preset or raise limits.max_seconds.",
    Code.CANCELLED: "Start the job again when you want the scene after all.",
    Code.INTERNAL: "Start the job again; if it fails the same way, the worker's log around this job id says why.",
}


class JobError(Exception):
    """A failure with a code that the caller can act on. `message` is shown to people as it is."""

    def __init__(self, code: Code, message: str, *, stage: Stage | None = None, hint: str | None = None) -> None:
        super().__init__(f"{code.value}: {message}")
        self.code = code
        self.message = message
        self.stage = stage
        self.hint = hint or HINTS[code]

    def at(self, stage: Stage) -> JobError:
        """The same failure with its stage filled in, where the raiser did not know it."""
        self.stage = self.stage or stage
        return self


def as_job_error(error: BaseException, stage: Stage | None) -> JobError:
    """Map anything that a stage may raise to a JobError; only known kinds keep a text of their own."""
    if isinstance(error, JobError):
        return error.at(stage) if stage else error
    if isinstance(error, KeyboardInterrupt):
        return JobError(Code.CANCELLED, "The job was cancelled.", stage=stage)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return JobError(Code.OUT_OF_MEMORY, "The worker ran out of memory.", stage=stage)
    if isinstance(error, OSError) and error.errno in (28, 122):  # ENOSPC, EDQUOT
        return JobError(Code.OUT_OF_DISK, "The worker's disk is full.", stage=stage)
    return JobError(
        Code.INTERNAL, f"Something unforeseen happened in the worker ({type(error).__name__}).", stage=stage
    )
