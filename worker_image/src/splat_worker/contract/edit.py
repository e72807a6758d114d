"""The edit of a scene as a type: a recipe beside the files (docs/contracts.md, Edit).
In the frame of scene.ply: x right, y down, z forward; its unit is the subject's radius.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from splat_worker.contract.faults import first_fault
from splat_worker.errors import Code, JobError

CROPS_MAX = 8
UNIT_OFF_MAX = 1e-3
APART_MIN = 1e-4

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Length = Annotated[float, Field(ge=1e-4, le=1e6)]
Vec3 = tuple[Coordinate, Coordinate, Coordinate]


def _of_length_1(value: tuple[float, ...]) -> tuple[float, ...]:
    if abs(math.hypot(*value) - 1) >= UNIT_OFF_MAX:
        raise ValueError("must have length 1")
    return value


Direction = Annotated[Vec3, AfterValidator(_of_length_1)]
Quat = Annotated[tuple[Coordinate, Coordinate, Coordinate, Coordinate], AfterValidator(_of_length_1)]


class _Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StartView(_Recipe):
    """fov: degrees along the longer side of the picture."""

    position: Vec3
    target: Vec3
    fov: float = Field(ge=5, le=150)


class _Crop(_Recipe):
    """soft: width of the edge in scene units, within which the opacity rises from 0."""

    keep: Literal["inside", "outside"]
    soft: float = Field(ge=0, le=10)


class BoxCrop(_Crop):
    """half: half of each side; quat: w, x, y, z, the box's axes in the scene."""

    shape: Literal["box"]
    centre: Vec3
    half: tuple[Length, Length, Length]
    quat: Quat


class SphereCrop(_Crop):
    shape: Literal["sphere"]
    centre: Vec3
    radius: Length


Crop = Annotated[BoxCrop | SphereCrop, Field(discriminator="shape")]


class Floaters(_Recipe):
    """strength: 0 to 1. reach: scene units from the middle within which floaters are removed."""

    strength: float = Field(gt=0, le=1)
    reach: Length


class Scale(_Recipe):
    """A length that somebody knows: from one point of the scene to another, in metres."""

    points: tuple[Vec3, Vec3]
    metres: Length

    @model_validator(mode="after")
    def _apart(self) -> Scale:
        if math.dist(*self.points) < APART_MIN:
            raise ValueError(f"points: must be at least {APART_MIN} apart")
        return self

    @property
    def metres_per_unit(self) -> float:
        return self.metres / math.dist(*self.points)


class Edit(_Recipe):
    """up: where up is; start: the first view; cover: the number of a stored picture; scale: the real size; null as the
    worker made it. Version 1 knew neither crops nor floaters."""

    version: Literal[1, 2]
    up: Direction | None
    start: StartView | None
    cover: Annotated[int, Field(ge=1, le=2**53 - 1)] | None
    crops: tuple[Crop, ...] = Field(default=(), max_length=CROPS_MAX)
    floaters: Floaters | None = None
    scale: Scale | None = None

    @property
    def changes_files(self) -> bool:
        """Whether the scene's own files would differ. A start view and a cover only change how it is shown."""
        return any(part is not None for part in (self.up, self.floaters, self.scale)) or bool(self.crops)


def parse_edit(value: Any) -> Edit:
    """Raises BAD_INPUT with the first invalid field."""
    if not isinstance(value, dict):
        raise JobError(Code.BAD_INPUT, f"The recipe is {type(value).__name__}; it must be an object.")
    try:
        return Edit.model_validate(value)
    except ValidationError as error:
        raise JobError(
            Code.BAD_INPUT, first_fault(error, "recipe"), hint="See docs/contracts/edit.schema.json."
        ) from None
