"""Request bodies of the management API, field by field as in the published OpenAPI document.
Rules that need the account or the catalogue are in rules.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from local_cloud.runpod.core.problems import bad_request, unprocessable


class Body(BaseModel):
    """Strict like the live API: refuses unknown keys, null for a non-null field, text for a number.

    Fields of a PATCH have a harmless default; `model_fields_set` has the names that the caller sent.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _unique(values: list[Any]) -> list[Any]:
    if len({json.dumps(_plain(value), sort_keys=True) for value in values}) != len(values):
        raise ValueError("items must be unique")
    return values


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value


def _trimmed(values: list[str]) -> list[str]:
    return [value.strip() for value in values]


def _integral(value: Any) -> Any:
    """3.0 is an integer in JSON Schema, so it is one here; 3.5 stays a float and is refused."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Int = Annotated[int, BeforeValidator(_integral)]
Text = Annotated[str, Field(min_length=1)]
CudaVersion = Annotated[str, Field(pattern=r"^\d+\.\d+$")]
CudaFloor = Annotated[str, Field(pattern=r"^$|^\d+\.\d+$")]
GpuTypeId = Annotated[str, Field(pattern=r"^\s*[^-\s]")]
ExcludedTypes = Annotated[list[GpuTypeId], AfterValidator(_unique), AfterValidator(_trimmed)]


class CreateGpu(Body):
    pools: list[str] = Field(min_length=1)
    excludedTypes: ExcludedTypes = []
    count: Int = Field(default=1, ge=1)
    allowedCudaVersions: list[CudaVersion] = []
    minCudaVersion: CudaVersion = "0.0"


class UpdateGpu(Body):
    pools: list[str] = Field(default=[], min_length=1)
    excludedTypes: ExcludedTypes = []
    count: Int = Field(default=1, ge=1)
    allowedCudaVersions: list[CudaVersion] = []
    minCudaVersion: CudaFloor = ""


class Workers(Body):
    min: Int = Field(default=0, ge=0)
    max: Int = Field(default=3, ge=0)
    idleTimeout: Int = Field(default=10, ge=1, le=3600)


class QueueDelay(Body):
    type: Literal["QUEUE_DELAY"]
    queueDelay: float = Field(ge=0.5, allow_inf_nan=False)


class RequestCount(Body):
    type: Literal["REQUEST_COUNT"]
    requestCount: Int = Field(ge=1)


ScalingBody = Annotated[QueueDelay | RequestCount, Field(discriminator="type")]
Flashboot = Literal["OFF", "FLASHBOOT", "PRIORITY_FLASHBOOT"]


class _Container(Body):
    image: str = ""
    args: str = ""
    disk: Int = Field(default=20, ge=1)
    env: dict[str, str] = {}
    ports: list[str] = []
    registry: str | None = None


class CreateEndpoint(_Container):
    name: Text
    type: Literal["QUEUE", "LOAD_BALANCER"]
    scaling: ScalingBody
    gpu: CreateGpu | None = Field(default=None)
    cpu: Any = None
    dataCenterIds: list[str] = []
    flashboot: Flashboot = "OFF"
    networkVolumes: list[str] = []
    templateId: Text = "-"
    timeout: Int = 300_000
    workers: Workers = Workers()


class UpdateEndpoint(_Container):
    name: Text = "-"
    scaling: ScalingBody = QueueDelay(type="QUEUE_DELAY", queueDelay=4)
    gpu: UpdateGpu = UpdateGpu.model_construct()
    cpu: Any = None
    dataCenterIds: list[str] = []
    flashboot: Flashboot = "OFF"
    networkVolumes: list[str] = []
    templateId: str = ""
    timeout: Int = 0
    workers: Workers = Workers()


class CreateRegistry(Body):
    name: Text
    username: Text
    password: Text


B = TypeVar("B", bound=Body)

_NOT_NULL = ("gpu",)


def parse_json(raw: bytes) -> Any:
    """The JSON value of a body; 400 for invalid JSON, NaN, or half a surrogate pair."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, UnicodeError, RecursionError) as error:
        raise bad_request(f"request body is not valid JSON: {error}") from error
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse_body(model: type[B], raw: bytes) -> B:
    """A checked body; 422 with one pointer per violation."""
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise unprocessable([f"$: got {_json_type(value)}, want object"])
    nulls = [f"$.{name}: got null, want object" for name in _NOT_NULL if name in value and value[name] is None]
    if nulls:
        raise unprocessable(nulls)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise unprocessable(sorted({_violation(one) for one in error.errors()})) from error


def _violation(error: ErrorDetails) -> str:
    """`$.workers: additional properties 'bogus' not allowed`, as the live API words it."""
    # The union's tag is part of pydantic's location, not of the document.
    location = [part for part in error["loc"] if part not in ("QUEUE_DELAY", "REQUEST_COUNT")]
    if error["type"] == "extra_forbidden":
        return f"{_pointer(location[:-1])}: additional properties '{location[-1]}' not allowed"
    if error["type"] == "missing":
        return f"{_pointer(location[:-1])}: missing property '{location[-1]}'"
    return f"{_pointer(location)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _pointer(location: list[int | str]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _json_type(value: Any) -> str:
    names: Mapping[type, str] = {list: "array", str: "string", bool: "boolean", int: "integer", float: "number"}
    return names.get(type(value), "null")
