"""Every setting of a stack in frozen sections: unit, default, bounds and meaning of each key, and rules between keys.
Keys are flat for users (`photo-splat:gpuCount`); a component takes the section that it needs (`settings.gpu`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from infra.addresses import encrypted
from infra.runpod.cheapest import CHEAPEST
from infra.runpod.client import PRODUCTION_JOB_URL, PRODUCTION_URL
from infra.settings.presets import SCALING_PRESETS, Scaling

NAMESPACE = "photo-splat"
TAG_REFERENCE = re.compile(r"^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?/[a-z0-9][\w.\-/]*:(?!latest$)\w[\w.-]{0,127}$")
DIGEST_REFERENCE = re.compile(r"^[a-z0-9][\w.\-/:]*@sha256:[0-9a-f]{64}$")
JURISDICTION_HOST = {"default": "", "eu": ".eu", "fedramp": ".fedramp"}

Https = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$"), AfterValidator(encrypted)]
HexId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
ScriptName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]  # also a DNS label
HostName = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]


class Jurisdiction(StrEnum):
    """Where Cloudflare keeps the bucket's data by law. Not a performance hint (that is bucketLocation)."""

    DEFAULT = "default"
    EU = "eu"
    FEDRAMP = "fedramp"


class Section(BaseModel):
    """Settings that belong together, under one heading of the reference page."""

    heading: ClassVar[str]

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class EdgeSettings(Section):
    """Name, address and visitors of the edge worker."""

    heading: ClassVar[str] = "App and address"

    workers_subdomain: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]+$",
        description="The account's name under workers.dev. Gives the app's address when `domain` is not set.",
    )
    domain: HostName | None = Field(
        default=None, description="Your own host name for the app, such as splat.example.org. Needs `zoneId`."
    )
    zone_id: HexId | None = Field(default=None, description="Cloudflare zone of `domain`. Only used with `domain`.")
    app_url: Https | None = Field(
        default=None,
        description="Public address of the app, if neither `domain` nor `workersSubdomain` gives it. The local stack "
        "sets it.",
    )
    script_name: ScriptName | None = Field(
        default=None,
        description="Name of the Worker script. Default: <project>-<stack>. Part of a workers.dev address.",
    )
    adopt_script: bool = Field(
        default=False,
        description="Import the existing script `scriptName` instead of creating one. Remove this key after the first "
        "`pulumi up`.",
    )
    access_team: Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+$")] | None = Field(
        default=None,
        description="Address of the Cloudflare Access team, https://<team>.cloudflareaccess.com. Turns Access on.",
    )
    access_aud: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="Audience tag of the Access application in front of the app. Needed with `accessTeam`.",
    )
    access_operators: tuple[str, ...] = Field(
        default=(), description="E-mail addresses that may operate, separated by commas. Only with `accessTeam`."
    )
    access_others: str | None = Field(
        default=None,
        pattern=r"^(view|upload)$",
        description="What everyone else behind Access may do: view or upload. Not set: nothing.",
    )

    def public_url(self, script_name: str) -> str:
        """Address of the app without a trailing slash."""
        if self.app_url:
            return self.app_url.rstrip("/")
        if self.domain:
            return f"https://{self.domain}"
        return f"https://{script_name}.{self.workers_subdomain}.workers.dev"

    @property
    def access(self) -> dict[str, Any] | None:
        """The ACCESS binding (docs/contracts.md); None without Access."""
        if not self.access_team:
            return None
        return {
            "team": self.access_team,
            "aud": self.access_aud,
            "operators": list(self.access_operators),
            "others": self.access_others,
        }


class StorageSettings(Section):
    """The bucket."""

    heading: ClassVar[str] = "Storage"

    bucket_name: BucketName | None = Field(
        default=None, description="Name of the bucket. Default: <project>-<stack>. Cannot change later."
    )
    adopt_bucket: bool = Field(
        default=False,
        description="Import the existing bucket `bucketName` instead of creating one. Remove this key after the first "
        "`pulumi up`.",
    )
    jurisdiction: Jurisdiction = Field(
        default=Jurisdiction.DEFAULT,
        description="Where data must stay by law: default, eu or fedramp. Cannot change later.",
    )
    location: str | None = Field(
        default=None,
        alias="bucketLocation",
        pattern=r"^(apac|eeur|enam|weur|wnam|oc)$",
        description="Preferred region: apac, eeur, enam, weur, wnam or oc. Applies only when the bucket is created.",
    )
    s3_endpoint: Https | None = Field(
        default=None,
        description="S3 address of the bucket's service, if it is not R2's own. The local stack sets it.",
    )
    object_lifetime_days: int = Field(
        default=0, ge=0, le=3650, description="Days after which photos and scenes are deleted. 0 keeps them."
    )


class GpuSettings(Section):
    """What a worker has: cards, disk, place."""

    heading: ClassVar[str] = "GPU"

    names: tuple[str, ...] = Field(
        default=("RTX 4090",),
        alias="gpu",
        min_length=1,
        # RunPod accepts more, but workers then hang in "initializing" (field note, facts 1.10).
        max_length=3,
        description="Up to three GPUs in order of preference, by their usual names, separated by commas: "
        '"RTX 4090, L40S". Users see the price of the first. `cheapest` as the first is the card with the lowest price '
        "per job, chosen at each deployment.",
    )

    @field_validator("names")
    @classmethod
    def _cheapest_comes_first(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(CHEAPEST if name.lower() == CHEAPEST else name for name in value)
        if CHEAPEST in names[1:]:
            raise ValueError(f"`{CHEAPEST}` can only come first, as in `{CHEAPEST}, L40S`")
        return names

    count: int = Field(default=1, alias="gpuCount", ge=1, le=8, description="GPUs per worker. The trainer uses one.")
    min_cuda_version: str | None = Field(
        default=None,
        pattern=r"^\d+\.\d+$",
        description="Lowest CUDA version of a host, as major.minor. Default: the image's own, which is also the least "
        "allowed.",
    )
    disk_gb: int = Field(default=30, ge=5, le=500, description="Container disk of a worker in GB; wiped on restart.")
    data_centers: tuple[str, ...] = Field(
        default=(), description="RunPod data centres for workers, separated by commas. Empty: RunPod chooses."
    )
    adopt_endpoint_id: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]+$",
        description="Id of an existing endpoint to take over instead of creating one.",
    )


class ScalingSettings(Section):
    """How many workers run, when they start and stop."""

    heading: ClassVar[str] = "Workers"

    preset: Scaling = Field(
        default=Scaling.SMALL,
        alias="scaling",
        description="Minimum and maximum of workers: small 0-2, medium 0-5, large 1-10. The keys below override it.",
    )
    workers_min: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Workers that are always on and always billed. Above 0 needs scaling large or `alwaysOnAccepted`.",
    )
    workers_max: int | None = Field(
        default=None, ge=0, le=100, description="Most workers at once, up to `workersCeiling`."
    )
    workers_ceiling: int = Field(
        default=10, ge=1, le=100, description="Upper limit for `workersMax`, to protect against high cost."
    )
    always_on_accepted: bool = Field(
        default=False, description="Accept the cost of `workersMin` above 0 outside scaling large."
    )
    idle_timeout_s: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="Seconds that a worker without a job stays warm, and billed. Default: from `scaling`.",
    )
    queue_delay_s: float = Field(
        default=4.0, ge=0.5, le=600, description="Seconds that a job may wait before another worker is started."
    )
    flashboot: str = Field(
        default="FLASHBOOT",
        pattern=r"^(OFF|FLASHBOOT|PRIORITY_FLASHBOOT)$",
        description="Shorter cold starts from a stopped worker's saved state: OFF, FLASHBOOT or PRIORITY_FLASHBOOT.",
    )
    execution_timeout_s: int = Field(
        default=5400,
        ge=5,
        le=604_800,
        description="Seconds after which RunPod stops a job. At least `jobSecondsMax`.",
    )

    @property
    def workers(self) -> tuple[int, int]:
        """Minimum and maximum, after overrides."""
        preset = SCALING_PRESETS[self.preset]
        low = preset.workers_min if self.workers_min is None else self.workers_min
        high = preset.workers_max if self.workers_max is None else self.workers_max
        return low, high

    @property
    def standing_workers_accepted(self) -> bool:
        """Whether workers may run without a job."""
        return self.preset is Scaling.LARGE or self.always_on_accepted

    @property
    def idle_s(self) -> int:
        return SCALING_PRESETS[self.preset].idle_timeout_s if self.idle_timeout_s is None else self.idle_timeout_s


class ImageSettings(Section):
    """Where the image comes from, and what is checked before it serves."""

    heading: ClassVar[str] = "Worker image"

    source: str = Field(
        default="build",
        alias="image",
        description="Source of the worker image. `build`: docker build and push to `imageRepository`. `checkout`: the "
        "sources beside this program, local cloud only. Or a pinned `repository@sha256:digest`, or a `repository:tag` "
        "other than `latest`, which each run resolves to its current digest.",
    )
    check: bool = Field(
        default=True,
        alias="imageCheck",
        description="Run the self-test of a changed image, or of another GPU, on one extra worker before the endpoint "
        "gets it. Takes about a minute of one worker.",
    )
    lookup: bool = Field(
        default=True,
        alias="imageLookup",
        description="Query the registry of a pinned image for its CUDA version and architectures, and compare them "
        "with `gpu`. Turn off if the machine that deploys cannot reach the registry. A tag needs it.",
    )
    repository: str | None = Field(
        default=None,
        alias="imageRepository",
        pattern=r"^[a-z0-9.\-]+\.[a-z0-9.\-]+(:\d+)?/[a-z0-9._\-/]+$",
        description="Repository that `image: build` pushes to, with its host: ghcr.io/team/splat-worker.",
    )
    registry_username: str | None = Field(
        default=None,
        description="User of a private registry, for pushing and for RunPod's pull. Needs `registryPassword`.",
    )

    @field_validator("source")
    @classmethod
    def _source_is_fixed(cls, value: str) -> str:
        if value in {"build", "checkout"} or DIGEST_REFERENCE.match(value) or TAG_REFERENCE.match(value):
            return value
        raise ValueError(
            "allowed are `build`, `checkout`, repository@sha256:<64 hex digits>, and host/repository:tag except "
            "`latest`, which can change under a running endpoint"
        )


class LimitSettings(Section):
    """What users may upload and start. Its fields are those of the LIMITS binding (docs/contracts.md)."""

    heading: ClassVar[str] = "Limits for users"

    photos_min: int = Field(default=5, ge=3, le=100, description="Fewest photos of a project.")
    photos_max: int = Field(
        default=300,
        ge=5,
        le=1000,
        description="Most photos of a project. `splat cost estimate` shows what a card holds with each preset.",
    )
    photo_bytes_max: int = Field(default=40_000_000, ge=100_000, le=100_000_000, description="Largest photo, in bytes.")
    project_bytes_max: int = Field(
        default=4_000_000_000, ge=1_000_000, le=100_000_000_000, description="All photos of a project, in bytes."
    )
    upload_bytes_per_day: int = Field(
        default=20_000_000_000,
        ge=1_000_000,
        le=10_000_000_000_000,
        description="Bytes of photos that one identity may upload per day (UTC).",
    )
    job_seconds_max: int = Field(default=3600, ge=60, le=86_400, description="Seconds that one job may run on the GPU.")
    jobs_per_day: int = Field(
        default=50, ge=1, le=10_000, description="Jobs that all users together may start per day (UTC)."
    )
    jobs_at_once: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Jobs of all users together that may run at once. More jobs wait in a queue.",
    )
    budget_usd_per_month: float = Field(
        default=50.0, ge=0, le=1_000_000, description="US dollars of GPU time per month. After that no job starts."
    )
    start_failures_max: int = Field(
        default=5,
        ge=0,
        le=100,
        description="Failed starts of workers in a row after which no job starts until `splat resume`. 0: no limit.",
    )


class SecretSettings(Section):
    """Generations of the secrets that the program makes."""

    heading: ClassVar[str] = "Rotation of generated secrets"

    bucket_key_generation: int = Field(
        default=1, ge=1, description="Raise by 1 for a new key pair of the bucket. Running jobs keep the old pair."
    )
    hook_keys_generation: int = Field(
        default=1, ge=1, description="Raise by 1 for a new key of progress and webhook addresses. The old key works on."
    )
    operator_token_generation: int = Field(
        default=1, ge=1, description="Raise by 1 for a new operator token. The old token works on."
    )
    keep_previous_secrets: bool = Field(
        default=True, description="Set to false to revoke every secret of an earlier generation."
    )


class Settings(Section):
    """Everything that a stack is configured with."""

    heading: ClassVar[str] = "Account"

    account_id: HexId = Field(
        alias="cloudflareAccountId",
        description="Cloudflare account of bucket and Worker: 32 hex digits, shown on the account's home page.",
    )
    protect: bool = Field(
        default=False,
        description="Refuse to delete the bucket and its contents; on for prod. Turn off before you destroy the stack.",
    )
    runpod_api_url: Https = Field(default=PRODUCTION_URL, alias="runpod:apiUrl", description="RunPod's management API.")
    runpod_job_url: Https = Field(
        default=PRODUCTION_JOB_URL, alias="runpod:jobUrl", description="RunPod's job API, without endpoint id."
    )
    edge: EdgeSettings = Field(default_factory=EdgeSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    gpu: GpuSettings = Field(default_factory=GpuSettings)
    scaling: ScalingSettings = Field(default_factory=ScalingSettings)
    image: ImageSettings = Field(default_factory=ImageSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    secrets: SecretSettings = Field(default_factory=SecretSettings)

    @model_validator(mode="after")
    def _rules_hold(self) -> Settings:
        problems = [problem for rule in RULES if (problem := rule(self))]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def s3_url(self) -> str:
        """S3 endpoint; the bucket follows as path."""
        if self.storage.s3_endpoint:
            return self.storage.s3_endpoint.rstrip("/")
        return f"https://{self.account_id}{JURISDICTION_HOST[self.storage.jurisdiction]}.r2.cloudflarestorage.com"


def a_build_needs_a_repository(settings: Settings) -> str | None:
    if settings.image.source != "build" or settings.image.repository:
        return None
    return "imageRepository is not set, but image is `build`. Set where to push, or pin a digest"


def a_tag_needs_the_registry(settings: Settings) -> str | None:
    if settings.image.lookup or not TAG_REFERENCE.match(settings.image.source):
        return None
    return (
        f"image is {settings.image.source}, a tag, but imageLookup is false. Pin a digest, or set imageLookup to true"
    )


def an_adopted_bucket_needs_its_name(settings: Settings) -> str | None:
    if not settings.storage.adopt_bucket or settings.storage.bucket_name:
        return None
    return "bucketName is not set, but adoptBucket is. Name the bucket to import"


def an_adopted_script_needs_its_name(settings: Settings) -> str | None:
    if not settings.edge.adopt_script or settings.edge.script_name:
        return None
    return "scriptName is not set, but adoptScript is. Name the script to import"


def a_domain_needs_its_zone(settings: Settings) -> str | None:
    if not settings.edge.domain or settings.edge.zone_id:
        return None
    return "zoneId is not set, but domain is. Set the zone of the host name"


def the_app_needs_an_address(settings: Settings) -> str | None:
    if settings.edge.app_url or settings.edge.domain or settings.edge.workers_subdomain:
        return None
    return "workersSubdomain is not set. Set it, or `domain` with `zoneId`, to give the app an address"


def access_needs_its_audience(settings: Settings) -> str | None:
    if not settings.edge.access_team or settings.edge.access_aud:
        return None
    return "accessAud is not set, but accessTeam is. Set the audience tag of the Access application"


def access_keys_need_the_team(settings: Settings) -> str | None:
    edge = settings.edge
    if edge.access_team or not (edge.access_aud or edge.access_operators or edge.access_others):
        return None
    return "accessTeam is not set, but another access key is. Set the team's address, or remove the other keys"


def runpod_stops_no_job_early(settings: Settings) -> str | None:
    timeout_s, job_s = settings.scaling.execution_timeout_s, settings.limits.job_seconds_max
    if timeout_s >= job_s:
        return None
    return f"executionTimeoutS is {timeout_s}, below jobSecondsMax ({job_s}): RunPod would stop jobs that are allowed"


def photo_limits_are_in_order(settings: Settings) -> str | None:
    limits = settings.limits
    if limits.photos_min <= limits.photos_max:
        return None
    return f"photosMin is {limits.photos_min}, above photosMax ({limits.photos_max})"


def workers_stay_below_the_ceiling(settings: Settings) -> str | None:
    high, ceiling = settings.scaling.workers[1], settings.scaling.workers_ceiling
    if high <= ceiling:
        return None
    return f"workersMax is {high}, above workersCeiling ({ceiling}). Lower workersMax, or raise both"


def worker_numbers_are_in_order(settings: Settings) -> str | None:
    low, high = settings.scaling.workers
    return f"workersMin is {low}, above workersMax ({high})" if low > high else None


def standing_workers_are_accepted(settings: Settings) -> str | None:
    low = settings.scaling.workers[0]
    if not low or settings.scaling.standing_workers_accepted:
        return None
    return f"workersMin is {low}, and that many workers are always billed. Set it to 0, or set alwaysOnAccepted to true"


# Each gives the sentence for a violation, which begins with a key, or None.
RULES: tuple[Callable[[Settings], str | None], ...] = (
    a_build_needs_a_repository,
    a_tag_needs_the_registry,
    an_adopted_bucket_needs_its_name,
    an_adopted_script_needs_its_name,
    a_domain_needs_its_zone,
    the_app_needs_an_address,
    access_needs_its_audience,
    access_keys_need_the_team,
    runpod_stops_no_job_early,
    photo_limits_are_in_order,
    workers_stay_below_the_ceiling,
    worker_numbers_are_in_order,
    standing_workers_are_accepted,
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One key: where it is in Settings (`section` is "" at the top), and what is known about it."""

    key: str
    section: str
    info: FieldInfo

    @property
    def alias(self) -> str:
        return str(self.info.alias)

    @property
    def is_list(self) -> bool:
        """Whether it takes several values, written with commas or as a JSON list."""
        return get_origin(self.info.annotation) is tuple


def all_settings() -> Iterator[Setting]:
    """Every key, in the order of the reference page."""
    sections: dict[str, Any] = {
        name: info.annotation for name, info in Settings.model_fields.items() if _is_section(info)
    }
    for section, model in (("", Settings), *sections.items()):
        for name, info in model.model_fields.items():
            if name not in sections or section:
                key = str(info.alias)
                yield Setting(key=key if ":" in key else f"{NAMESPACE}:{key}", section=section, info=info)


def _is_section(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, Section)
