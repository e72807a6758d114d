"""The output of a job as types: the report of a finished job, or the failure of another.
The published JSON Schemas are generated from them; docs/contracts.md explains them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from splat_worker.contract.edit import Edit, StartView
from splat_worker.contract.job_input import Preset
from splat_worker.errors import Code, JobError, Stage


class _Report(BaseModel):
    """Output may gain keys: unknown keys are ignored on reading."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Rejected(_Report):
    """A photo that is not in the scene, and why. code: photos.reject.Reject or sfm.diagnosis.Unplaced."""

    name: str
    code: str
    reason: str


class DroppedSpan(_Report):
    """A stretch of a clip without a frame, and why. code: video.choice.Dropped."""

    from_s: float
    to_s: float
    code: str
    reason: str


class VideoReport(_Report):
    """Which seconds of a clip became photos. Each of them is named after the clip and its time in `photos`."""

    name: str
    seconds: float
    frames: int
    used_s: tuple[float, ...] = Field(description="Seconds from the clip's begin of each frame that became a photo.")
    dropped: tuple[DroppedSpan, ...] = ()


class PhotosReport(_Report):
    """given: photos, and frames that were chosen from clips."""

    given: int
    registered: int
    rejected: tuple[Rejected, ...] = ()


class Metrics(_Report):
    """Quality on photos held out from training, at (width, height) px."""

    psnr_db: float | None
    ssim: float | None
    psnr_plain_db: float | None = Field(
        default=None, description="PSNR without the exposure in the photos' tags, which psnr_db and ssim apply."
    )
    psnr_fitted_db: float | None = Field(
        default=None, description="PSNR after an affine colour fit per photo, which removes exposure differences."
    )
    gaussians: int
    held_out: tuple[str, ...]
    width: int
    height: int
    reprojection_error_px: float | None
    steps: int | None = None
    floaters_removed: int = 0
    export_fidelity_db: dict[str, float] = Field(
        default_factory=dict, description="PSNR of each compressed file's render against the render of scene.ply."
    )


class Artifact(_Report):
    bytes: int
    sha256: str


class StageReport(_Report):
    stage: Stage
    seconds: float
    usd: float | None = None


class Device(_Report):
    kind: Literal["cpu", "cuda"]
    name: str
    count: int


class PriceReport(_Report):
    usd: float
    usd_per_s: float
    gpu: str
    as_of: str
    source: str = ""
    billed_s: float
    estimate: bool
    note: str = ""


class SfmReport(_Report):
    """How the cameras were found: the winning rung of the ladder, and the photos placed by each rung."""

    rung: str
    matching: str = Field(description="How pairs of photos were chosen, such as `spatial + sequential + retrieval`.")
    points: int
    pairs: int | None = Field(default=None, description="Pairs of photos compared.")
    tried: dict[str, int] = Field(default_factory=dict, description="Photos placed by each rung.")


class UpReport(_Report):
    """Which way is up in the scene, and how sure that is."""

    source: str
    known: bool = Field(description="False for a guess. The scene may then be tilted.")
    error_deg: float | None = Field(default=None, description="Estimated standard deviation of the direction.")


class SizeReport(_Report):
    """The real size of the subject: from positions in the photos' tags, or (error null) from a length in an edit."""

    width_m: float = Field(description="Of the subject's longer level side.")
    height_m: float
    metres_per_unit: float = Field(description="Metres in one unit of the scene's files.")
    error: float | None = Field(
        default=None, description="Estimated relative standard error of these lengths; 0.02 is 2 %."
    )
    off_m: float | None = Field(
        default=None, description="Root mean square distance of the cameras from their positions."
    )
    used: int = Field(default=0, description="Positions that agree, of `given`.")
    given: int = 0


class EditedReport(_Report):
    """The files are those of an earlier attempt, edited. Photos, cameras and quality were measured before the edit."""

    base: int = Field(description="The attempt that was edited.")
    recipe: Edit
    gaussians_before: int
    start: StartView | None = Field(default=None, description="The recipe's start view, in the edited scene.")


class Report(_Report):
    """`output` of a finished job."""

    version: Literal[1] = 1
    project_id: str
    attempt: int
    preset: Preset
    device: Device
    photos: PhotosReport
    videos: tuple[VideoReport, ...] = Field(default=(), description="Clips that photos were taken from.")
    metrics: Metrics
    sfm: SfmReport | None = None
    up: UpReport | None = Field(default=None, description="Absent from reports of older workers.")
    size: SizeReport | None = Field(default=None, description="Null where the photos' positions do not tell it.")
    edited: EditedReport | None = Field(default=None, description="Null as trained.")
    artifacts: dict[str, Artifact]
    stages: tuple[StageReport, ...]
    peak_memory_mb: int
    price: PriceReport | None = None
    resumed_from: Stage | None = None
    warnings: tuple[str, ...] = ()
    versions: dict[str, str]


class Failure(_Report):
    code: Code
    message: str
    hint: str
    stage: Stage | None = None

    @classmethod
    def of(cls, error: JobError) -> Failure:
        return cls(code=error.code, message=error.message, hint=error.hint, stage=error.stage)


class FailedOutput(_Report):
    """`output` of a failed job."""

    error: Failure
