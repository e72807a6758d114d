"""The input of a job as types: from photos in a full and a plain form, and the edit of a scene. The published JSON
Schemas are generated from them. docs/contracts.md explains them; tests parse the examples in docs/contracts/*.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from splat_worker.contract.edit import Edit
from splat_worker.contract.faults import first_fault
from splat_worker.errors import Code, JobError
from splat_worker.limits import PHOTO_BYTES_MAX, PHOTOS_MAX, VIDEO_BYTES_MAX

CONTENT_TYPES: dict[str, str] = {
    "scene.ply": "application/octet-stream",
    "scene.sog": "application/octet-stream",
    "scene.spz": "application/octet-stream",
    "preview.sog": "application/octet-stream",
    "scene.glb": "model/gltf-binary",
    "scene.html": "application/octet-stream",
    "poster.webp": "image/webp",
    "thumbnail.webp": "image/webp",
    "cameras.json": "application/json",
    "report.json": "application/json",
    "checkpoint": "application/octet-stream",
}
"""Content type of each artifact's PUT. The presigned URL is signed with the same type. No browser may show scene.html
from the service's own address: it is only ever saved."""

ArtifactName = Literal[
    "scene.ply",
    "scene.sog",
    "scene.spz",
    "preview.sog",
    "scene.glb",
    "scene.html",
    "poster.webp",
    "thumbnail.webp",
    "cameras.json",
    "report.json",
]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=8192)]
PhotoName = Annotated[str, StringConstraints(pattern=r"^[^/\\\x00-\x1f]{1,255}$")]
ProjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Preset(StrEnum):
    """How much time and how many Gaussians. The trainer has the numbers for each device."""

    PREVIEW = "preview"
    STANDARD = "standard"
    HIGH = "high"


class Matching(StrEnum):
    """Which pairs of photos to compare."""

    AUTO = "auto"
    EXHAUSTIVE = "exhaustive"
    SEQUENTIAL = "sequential"
    SPATIAL = "spatial"


class _Ours(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PhotoSource(_Ours):
    """One photo or clip to download. `bytes` and `sha256` are checked if given."""

    name: PhotoName
    url: Url = Field(repr=False)
    bytes: int | None = Field(default=None, ge=0, le=VIDEO_BYTES_MAX)
    sha256: Sha256 | None = None
    frames_max: int | None = Field(
        default=None,
        ge=1,
        le=PHOTOS_MAX,
        description="How many frames of a clip become photos, at most. Null: a photo.",
    )

    @property
    def bytes_max(self) -> int:
        return PHOTO_BYTES_MAX if self.frames_max is None else VIDEO_BYTES_MAX


class CheckpointAddress(_Ours):
    """One object, read at the start and overwritten after stages and during training."""

    get: Url = Field(repr=False)
    put: Url = Field(repr=False)


class ProgressAddress(_Ours):
    """Where progress is sent, signed with `secret` (Standard Webhooks, `whsec_` + base64)."""

    url: Url = Field(repr=False)
    secret: str | None = Field(default=None, repr=False, pattern=r"^whsec_[A-Za-z0-9+/=]+$")


class Price(_Ours):
    """The rate of the endpoint's GPU at the start of the job. usd_per_s: US dollars per second of a worker."""

    gpu: str
    usd_per_s: float = Field(ge=0)
    as_of: str
    source: str = ""


class Limits(_Ours):
    """Upper limits. Near one, the job shortens its training or ends with TIME_LIMIT."""

    max_seconds: float | None = Field(default=None, gt=0, description="Seconds from download to upload.")
    max_cost_usd: float | None = Field(default=None, gt=0, description="US dollars at the rate of `price`.")


class TrainOverrides(_Ours):
    """Values that replace the preset's."""

    steps: int | None = Field(default=None, ge=1, le=100_000)
    gaussians_max: int | None = Field(default=None, ge=100, le=10_000_000)
    size_px: int | None = Field(default=None, ge=64, le=4096, description="Longer side of the photos, px.")
    sh_degree: int | None = Field(default=None, ge=0, le=3)

    def as_dict(self) -> dict[str, int]:
        return self.model_dump(exclude_none=True)


class SfmOptions(_Ours):
    """How cameras are found. side_max_px: longer side of the photos for finding features."""

    matching: Matching = Matching.AUTO
    side_max_px: int | None = Field(default=None, ge=320, le=8000)


class _AnyJob(_Ours):
    """What every full form has."""

    version: Literal[1]
    project_id: ProjectId
    attempt: int = Field(default=1, ge=1)
    outputs: dict[ArtifactName, Url] = Field(min_length=1, repr=False)
    progress: ProgressAddress | None = None
    price: Price | None = None
    limits: Limits = Limits()
    webhook_url: Url | None = Field(
        default=None, repr=False, description="Receives the answer once, unsigned (plain form)."
    )

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.limits.max_cost_usd is not None and self.price is None:
            raise ValueError("limits.max_cost_usd requires price.usd_per_s")
        return self


class JobInput(_AnyJob):
    """`input` of a RunPod job that makes a scene from photos, full form."""

    photos: tuple[PhotoSource, ...] = Field(min_length=1, max_length=PHOTOS_MAX)
    preset: Preset = Preset.PREVIEW
    train: TrainOverrides = TrainOverrides()
    sfm: SfmOptions = SfmOptions()
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    subject: bool = Field(default=False, description="Leave out what is around the subject.")
    checkpoint: CheckpointAddress | None = None

    @model_validator(mode="after")
    def _consistent(self) -> JobInput:
        names = [photo.name for photo in self.photos]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"photo names must be unique: {', '.join(twice[:3])}")
        for photo in self.photos:
            if photo.bytes is not None and photo.bytes > photo.bytes_max:
                raise ValueError(f"photo {photo.name} has {photo.bytes} bytes; the limit is {photo.bytes_max}")
        total = sum(photo.frames_max or 1 for photo in self.photos)
        if total > PHOTOS_MAX:
            raise ValueError(f"photos and frames of clips add up to {total}; the limit is {PHOTOS_MAX}")
        return self


class SceneEdit(_Ours):
    """The edit of a scene, and where the files of the scene are. base: the attempt that made it."""

    base: int = Field(ge=1)
    recipe: Edit
    scene_url: Url = Field(repr=False, description="GET of scene.ply.")
    cameras_url: Url = Field(repr=False, description="GET of cameras.json.")
    report_url: Url = Field(repr=False, description="GET of report.json.")


class EditJobInput(_AnyJob):
    """`input` of a RunPod job that applies an edit to every file of a scene. It trains nothing."""

    edit: SceneEdit


class PlainJobInput(_Ours):
    """The short form: a list of photo URLs, and one URL for the scene. https only."""

    project_id: ProjectId
    image_urls: tuple[Url, ...] = Field(min_length=1, max_length=PHOTOS_MAX, repr=False)
    upload_url: Url = Field(repr=False, description="PUT of scene.ply.")
    iterations: int | None = Field(default=None, ge=1, le=100_000)
    webhook_url: Url | None = Field(default=None, repr=False)

    def expanded(self) -> JobInput:
        """The same job in full form."""
        photos = tuple(PhotoSource(name=f"{i:04d}", url=url) for i, url in enumerate(self.image_urls, start=1))
        return JobInput(
            version=1,
            project_id=self.project_id,
            photos=photos,
            train=TrainOverrides(steps=self.iterations),
            outputs={"scene.ply": self.upload_url},
            webhook_url=self.webhook_url,
        )


def form_of(value: Mapping[str, Any]) -> type[JobInput] | type[EditJobInput]:
    """The full form that this input has."""
    return EditJobInput if "edit" in value else JobInput


def parse_input(value: Any) -> JobInput | EditJobInput:
    """`input` of a job in any form. Raises BAD_INPUT with the first invalid field, without its value, which may be a
    presigned URL."""
    if not isinstance(value, dict):
        raise JobError(Code.BAD_INPUT, f"input is {type(value).__name__}; it must be an object.", hint=_PLAIN_HINT)
    # A full job has a version. Without one, any field of its own shows that the plain form was meant.
    plain = "version" not in value and not value.keys().isdisjoint(_PLAIN_ONLY)
    try:
        if plain:
            return PlainJobInput.model_validate(value).expanded()
        return form_of(value).model_validate(value)
    except ValidationError as error:
        fault = first_fault(error, "input")
        if "version" in value:
            raise JobError(Code.BAD_INPUT, fault) from None
        # Whoever writes a job by hand means the plain form, whatever is missing.
        raise JobError(
            Code.BAD_INPUT, f"{fault} This is read as the {'plain' if plain else 'full'} form.", hint=_PLAIN_HINT
        ) from None


_PLAIN_ONLY = frozenset({"image_urls", "upload_url", "iterations"})
_PLAIN_HINT = (
    "The plain form takes project_id, image_urls and upload_url, and optionally iterations and webhook_url. "
    "The full form has version 1 (docs/contracts.md)."
)
