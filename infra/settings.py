"""Every setting of a stack: one frozen model with unit, default, bounds and a sentence per key.
The only reader of pulumi.Config; knows nothing of resources."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

PROJECT = "photo-splat"
# 3.256 and 3.257 cannot write state to R2 (pulumi/pulumi issue 24219, mended in 3.258.0).
OLDEST_ENGINE = "3.258.0"
TAG_REFERENCE = re.compile(r"^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?/[a-z0-9][\w.\-/]*:(?!latest$)\w[\w.-]{0,127}$")
DIGEST_REFERENCE = re.compile(r"^[a-z0-9][\w.\-/:]*@sha256:[0-9a-f]{64}$")
RUNPOD_API = "https://api.runpod.io/v2"
RUNPOD_JOBS = "https://api.runpod.ai/v2"
JURISDICTION_HOST = {"default": "", "eu": ".eu", "fedramp": ".fedramp"}


class SettingsError(Exception):
    """The stack's configuration cannot be used. `str()` is one line per key, with what is allowed."""


class Scaling(StrEnum):
    """How many workers may run. Says nothing about which GPU they have."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Jurisdiction(StrEnum):
    """Where Cloudflare keeps the bucket's data by law. Not a performance hint (that is bucketLocation)."""

    DEFAULT = "default"
    EU = "eu"
    FEDRAMP = "fedramp"


class ScalingPreset(BaseModel):
    """What a Scaling name stands for."""

    model_config = ConfigDict(frozen=True)

    workers_min: int
    workers_max: int
    idle_timeout_s: int


SCALING_PRESETS: Mapping[Scaling, ScalingPreset] = {
    Scaling.SMALL: ScalingPreset(workers_min=0, workers_max=2, idle_timeout_s=15),
    Scaling.MEDIUM: ScalingPreset(workers_min=0, workers_max=5, idle_timeout_s=30),
    Scaling.LARGE: ScalingPreset(workers_min=1, workers_max=10, idle_timeout_s=60),
}

AccountId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Https = Annotated[str, Field(pattern=r"^https?://[^/\s]+(/\S*)?$")]
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
ScriptName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]  # also a DNS label
HostName = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]


class Settings(BaseModel):
    """One stack's settings. Field order is the order of the reference page; secrets are not in here:
    they stay Pulumi outputs from the moment they are read (see SECRETS)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )

    # the account and the address people open
    cloudflare_account_id: AccountId = Field(
        description="Cloudflare account that owns bucket and Worker: 32 hex digits, shown on the account's home page."
    )
    workers_subdomain: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]+$",
        description="The account's name under workers.dev. Gives the app's address when `domain` is not set.",
    )
    domain: HostName | None = Field(
        default=None,
        description="Own host name of the app, such as splat.example.org. Needs `zoneId`.",
    )
    zone_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        default=None, description="Cloudflare zone that `domain` lies in. Only used with `domain`."
    )
    app_url: Https | None = Field(
        default=None,
        description="Public address of the app where it follows from neither `domain` nor `workersSubdomain`; "
        "the local stack sets it.",
    )

    # who gets in, where Cloudflare Access stands in front
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
        description="What everybody else whom Access lets in may do: view or upload. Not set: nothing.",
    )

    # storage
    bucket_name: BucketName | None = Field(
        default=None,
        description="Name of the bucket: <project>-<stack> where it is not set. Fixed for the bucket's life.",
    )
    adopt_bucket: bool = Field(
        default=False,
        description="Take over the bucket `bucketName`, made by hand, instead of making one. May go once it is done.",
    )
    jurisdiction: Jurisdiction = Field(
        default=Jurisdiction.DEFAULT,
        description="Where data must stay by law: default, eu or fedramp. Fixed for a bucket's life.",
    )
    bucket_location: str | None = Field(
        default=None,
        pattern=r"^(apac|eeur|enam|weur|wnam|oc)$",
        description="Wish for the bucket's region: apac, eeur, enam, weur, wnam or oc. Heard when it is made only.",
    )
    s3_endpoint: Https | None = Field(
        default=None,
        description="S3 address of the bucket's service where it is not R2's own; the local stack sets it.",
    )
    object_lifetime_days: int = Field(
        default=0,
        ge=0,
        le=3650,
        description="Days after which photos and scenes are deleted by themselves. 0 keeps them for ever.",
    )

    # the script
    script_name: ScriptName | None = Field(
        default=None,
        description="Name of the Worker script: <project>-<stack> where it is not set. Part of a workers.dev address.",
    )
    adopt_script: bool = Field(
        default=False,
        description="Take over the script `scriptName`, made by hand, instead of making one. May go once it is done.",
    )

    # the GPU and its workers
    gpu: tuple[str, ...] = Field(
        default=("RTX 4090",),
        min_length=1,
        max_length=3,
        description='GPUs in order of preference, by their usual names, separated by commas: "RTX 4090, L40S". '
        "The first one's price is shown to users.",
    )
    gpu_count: int = Field(default=1, ge=1, le=8, description="GPUs per worker. The trainer uses one.")
    min_cuda_version: str | None = Field(
        default=None,
        pattern=r"^\d+\.\d+$",
        description="Lowest CUDA version of a host, as major.minor. Not set: the image's own; less is refused.",
    )
    scaling: Scaling = Field(
        default=Scaling.SMALL,
        description="Workers at least and at most: small 0-2, medium 0-5, large 1-10. Numbers below override it.",
    )
    workers_min: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Workers that always run and cost. Above 0 needs scaling large, or `alwaysOnAccepted`.",
    )
    workers_max: int | None = Field(
        default=None, ge=0, le=100, description="Most workers at once. Not above `workersCeiling`."
    )
    workers_ceiling: int = Field(
        default=10, ge=1, le=100, description="Ceiling that no override of `workersMax` may pass: a brake on cost."
    )
    always_on_accepted: bool = Field(
        default=False, description="Says that a `workersMin` above 0 outside scaling large is meant, and its cost."
    )
    idle_timeout_s: int | None = Field(
        default=None,
        ge=1,
        le=3600,
        description="Seconds that a worker without a job stays warm, and billed. The scaling preset gives the default.",
    )
    queue_delay_s: float = Field(
        default=4.0, ge=0.5, le=600, description="Seconds that a job may wait before another worker is started."
    )
    flashboot: str = Field(
        default="FLASHBOOT",
        pattern=r"^(OFF|FLASHBOOT|PRIORITY_FLASHBOOT)$",
        description="Shorter cold starts by keeping a stopped worker's state: OFF, FLASHBOOT or PRIORITY_FLASHBOOT.",
    )
    execution_timeout_s: int = Field(
        default=5400,
        ge=5,
        le=604_800,
        description="Seconds after which RunPod ends a job. Must not be below `jobSecondsMax`.",
    )
    disk_gb: int = Field(default=30, ge=5, le=500, description="Container disk of a worker in GB; wiped on restart.")
    data_centers: tuple[str, ...] = Field(
        default=(), description="RunPod data centres that workers may run in. Empty leaves it to the scheduler."
    )
    adopt_endpoint_id: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9]+$",
        description="Id of an endpoint made by hand that this stack takes over instead of making one.",
    )

    # the worker image
    image: str = Field(
        default="build",
        description="Where the worker image comes from: `build` (docker build and push to `imageRepository`), "
        "`checkout` (the sources beside this program; local cloud only), a pinned `repository@sha256:digest`, or "
        "`repository:tag`, which each run resolves to the digest of that moment (not `latest`).",
    )
    image_trial: bool = Field(
        default=True,
        description="A changed image, or another GPU for it, first passes its self-test on one worker of its own; else "
        "nothing changes. Costs about a minute of one worker. Turn off to let an image through untried.",
    )
    image_lookup: bool = Field(
        default=True,
        description="Ask the registry of a pinned image for its CUDA version and architectures, and compare them with "
        "`gpu`. Turn off where the machine that deploys cannot reach the registry; a tag needs it.",
    )
    image_repository: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9.\-]+\.[a-z0-9.\-]+(:\d+)?/[a-z0-9._\-/]+$",
        description="Repository that `image: build` pushes to, with its host: ghcr.io/team/splat-worker.",
    )
    registry_username: str | None = Field(
        default=None,
        description="User of a private registry, for pushing and for RunPod's pull. Needs `registryPassword`.",
    )

    # limits on what users can ask for
    photos_min: int = Field(default=5, ge=3, le=100, description="Fewest photos of a project.")
    photos_max: int = Field(default=300, ge=5, le=2000, description="Most photos of a project.")
    photo_bytes_max: int = Field(default=40_000_000, ge=100_000, le=100_000_000, description="Largest photo, in bytes.")
    project_bytes_max: int = Field(
        default=4_000_000_000, ge=1_000_000, le=100_000_000_000, description="All photos of a project, in bytes."
    )
    upload_bytes_per_day: int = Field(
        default=20_000_000_000,
        ge=1_000_000,
        le=10_000_000_000_000,
        description="Bytes of photos that one identity may upload in a day (UTC).",
    )
    job_seconds_max: int = Field(default=3600, ge=60, le=86_400, description="Seconds that one job may run on the GPU.")
    jobs_per_day: int = Field(
        default=50, ge=1, le=10_000, description="Jobs that may be started in a day (UTC), by all together."
    )
    jobs_at_once: int = Field(
        default=2, ge=1, le=100, description="Jobs that may be under way at once, of all together."
    )
    budget_usd_per_month: float = Field(
        default=50.0, ge=0, le=1_000_000, description="US dollars of GPU time in a month, after which no job starts."
    )

    # safety and rotation
    protect: bool = Field(
        default=False,
        description="Refuse to delete the bucket and its contents; on for prod. Turn off before a wanted destroy.",
    )
    bucket_key_generation: int = Field(
        default=1,
        ge=1,
        description="Raise to make a new key pair for the bucket; the old one still works, for jobs under way.",
    )
    hook_keys_generation: int = Field(
        default=1,
        ge=1,
        description="Raise to make a new key for progress and webhook addresses; the old one still works.",
    )
    operator_token_generation: int = Field(
        default=1, ge=1, description="Raise to make a new operator token; the old one still works."
    )
    keep_previous_secrets: bool = Field(
        default=True, description="False ends every secret that a raised generation had left working."
    )

    # addresses of the APIs, other namespaces
    runpod_api_url: Https = Field(default=RUNPOD_API, alias="runpod:apiUrl", description="RunPod's management API.")
    runpod_job_url: Https = Field(
        default=RUNPOD_JOBS, alias="runpod:jobUrl", description="RunPod's job API; the endpoint id follows."
    )

    @field_validator("image")
    @classmethod
    def _image_is_fixed(cls, value: str) -> str:
        if value in {"build", "checkout"} or DIGEST_REFERENCE.match(value) or TAG_REFERENCE.match(value):
            return value
        raise ValueError(
            "allowed `build`, `checkout`, repository@sha256:<64 hex digits>, or host/repository:tag but for `latest`; "
            "a tag can move under a running endpoint, and that one is made to"
        )

    @model_validator(mode="after")
    def _keys_agree(self) -> Settings:
        low, high = self.workers
        another_access_key = self.access_aud or self.access_operators or self.access_others
        wrong = {
            "imageRepository is not set, but image is `build`: say where to push, or pin a digest": (
                self.image == "build" and not self.image_repository
            ),
            f"image is {self.image}, a tag, but imageLookup is false: pin a digest, or let the registry be asked": (
                not self.image_lookup and bool(TAG_REFERENCE.match(self.image))
            ),
            "bucketName is not set, but adoptBucket is: name the bucket to take over": (
                self.adopt_bucket and not self.bucket_name
            ),
            "scriptName is not set, but adoptScript is: name the script to take over": (
                self.adopt_script and not self.script_name
            ),
            "zoneId is not set, but domain is: give the zone that the host name lies in": (
                self.domain and not self.zone_id
            ),
            "workersSubdomain is not set: give it, or `domain` with `zoneId`, for the app's address": (
                not (self.app_url or self.domain or self.workers_subdomain)
            ),
            "accessAud is not set, but accessTeam is: give the application's audience tag": (
                self.access_team and not self.access_aud
            ),
            "accessTeam is not set, but another access key is: give the team's address, or drop them": (
                not self.access_team and another_access_key
            ),
            f"executionTimeoutS is {self.execution_timeout_s}, below jobSecondsMax ({self.job_seconds_max}): "
            "RunPod would end jobs that the service still allows": self.execution_timeout_s < self.job_seconds_max,
            f"photosMin is {self.photos_min}, above photosMax ({self.photos_max})": self.photos_min > self.photos_max,
            f"workersMax is {high}, above workersCeiling ({self.workers_ceiling}): lower it, or raise both": (
                high > self.workers_ceiling
            ),
            f"workersMin is {low}, above workersMax ({high})": low > high,
            f"workersMin is {low}: such workers cost day and night; set alwaysOnAccepted to true if that is meant": (
                low > 0 and not self.standing_workers_accepted
            ),
        }
        problems = [sentence for sentence, is_wrong in wrong.items() if is_wrong]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def workers(self) -> tuple[int, int]:
        """Workers at least and at most, after overrides."""
        preset = SCALING_PRESETS[self.scaling]
        low = preset.workers_min if self.workers_min is None else self.workers_min
        high = preset.workers_max if self.workers_max is None else self.workers_max
        return low, high

    @property
    def standing_workers_accepted(self) -> bool:
        """Whether workers may run without a job."""
        return self.scaling is Scaling.LARGE or self.always_on_accepted

    @property
    def idle_s(self) -> int:
        preset = SCALING_PRESETS[self.scaling].idle_timeout_s
        return preset if self.idle_timeout_s is None else self.idle_timeout_s

    @property
    def s3_url(self) -> str:
        """S3 endpoint; the bucket follows as path."""
        if self.s3_endpoint:
            return self.s3_endpoint.rstrip("/")
        host = f"{self.cloudflare_account_id}{JURISDICTION_HOST[self.jurisdiction]}"
        return f"https://{host}.r2.cloudflarestorage.com"

    def public_url(self, script_name: str) -> str:
        """Address of the app without a trailing slash."""
        if self.app_url:
            return self.app_url.rstrip("/")
        if self.domain:
            return f"https://{self.domain}"
        return f"https://{script_name}.{self.workers_subdomain}.workers.dev"

    @property
    def access(self) -> dict[str, Any] | None:
        """The ACCESS binding (docs/contracts.md); None where Access is not used."""
        if not self.access_team:
            return None
        return {
            "team": self.access_team,
            "aud": self.access_aud,
            "operators": list(self.access_operators),
            "others": self.access_others,
        }

    @property
    def limits(self) -> dict[str, int | float]:
        """The LIMITS binding (docs/contracts.md)."""
        return {
            "photos_min": self.photos_min,
            "photos_max": self.photos_max,
            "photo_bytes_max": self.photo_bytes_max,
            "project_bytes_max": self.project_bytes_max,
            "upload_bytes_per_day": self.upload_bytes_per_day,
            "job_seconds_max": self.job_seconds_max,
            "jobs_per_day": self.jobs_per_day,
            "jobs_at_once": self.jobs_at_once,
            "budget_usd_per_month": self.budget_usd_per_month,
        }


class Secret(BaseModel):
    """A key whose value never enters Settings."""

    model_config = ConfigDict(frozen=True)

    key: str
    environment: str
    required: bool
    description: str


SECRETS: Mapping[str, Secret] = {
    secret.key: secret
    for secret in (
        Secret(
            key="runpod:apiKey",
            environment="RUNPOD_API_KEY",
            required=True,
            description="RunPod API key with read and write on Serverless; also what the edge starts jobs with.",
        ),
        Secret(
            key="cloudflare:apiToken",
            environment="CLOUDFLARE_API_TOKEN",
            required=True,
            description="Cloudflare API token with edit on Workers Scripts, Workers R2 Storage, Account API Tokens.",
        ),
        Secret(
            key=f"{PROJECT}:registryPassword",
            environment="REGISTRY_PASSWORD",
            required=False,
            description="Password or token of the private registry of `registryUsername`.",
        ),
    )
}
# Read by the Cloudflare SDK itself; listed so that no typo of it goes unseen.
FOREIGN_KEYS = frozenset({"cloudflare:baseUrl"})


def config_key(name: str) -> str:
    """The full Pulumi key of a Settings field: `gpu_count` → `photo-splat:gpuCount`."""
    alias = Settings.model_fields[name].alias or to_camel(name)
    return alias if ":" in alias else f"{PROJECT}:{alias}"


def is_list(name: str) -> bool:
    """Whether a field takes several values, written with commas or as a JSON list."""
    return get_origin(Settings.model_fields[name].annotation) is tuple


def read_settings(values: Mapping[str, str]) -> Settings:
    """Settings from Pulumi's configuration as full keys to text. Raises SettingsError with a line per
    problem. Empty text means "not set", since typed keys of Pulumi.yaml must have a default."""
    known = {config_key(name): name for name in Settings.model_fields}
    problems = [
        _unknown(key, {*known, *SECRETS, *FOREIGN_KEYS})
        for key in values
        if _is_ours(key) and key not in known and key not in SECRETS and key not in FOREIGN_KEYS
    ]
    given: dict[str, Any] = {}
    for key, name in known.items():
        text = values.get(key, "")
        if text != "":
            given[name] = _split(text) if is_list(name) else text
    try:
        settings = Settings.model_validate(given)
    except ValidationError as invalid:
        problems += _sentences(invalid, given)
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def load() -> Settings:
    """Settings of the stack that is being deployed. Raises SettingsError."""
    # Pulumi offers no public way to list keys, and a misspelt key must not go unseen. Both are what
    # pulumi.Config itself reads; should they move, Config.get per known key still gives all but that check.
    from pulumi.runtime import config as runtime_config

    values = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    in_clear = secrets_in_clear(values, is_secret=runtime_config.is_config_secret)
    try:
        settings = read_settings(values)
    except SettingsError as invalid:
        raise SettingsError("\n".join([*in_clear, str(invalid)])) from None
    if in_clear:
        raise SettingsError("\n".join(in_clear))
    return settings


def secrets_in_clear(values: Mapping[str, str], *, is_secret: Callable[[str], bool]) -> tuple[str, ...]:
    """A sentence per secret that was set without `--secret`: it stands in clear in the stack's file."""
    return tuple(
        f"{key} stands in clear in the stack's file [marked-secrets]: make a new one where it comes from, then "
        f"`pulumi config set --secret {key}`"
        for key in SECRETS
        if values.get(key) and not is_secret(key)
    )


def secret(key: str, *, environment: Mapping[str, str]) -> Any:
    """The secret output of `key` from the stack's configuration, else from its environment variable; None
    when an optional one is absent. Raises SettingsError when a required one is."""
    import pulumi

    declared = SECRETS[key]
    namespace, _, name = key.partition(":")
    configured = pulumi.Config(namespace).get_secret(name)
    if configured is not None:
        return configured
    if environment.get(declared.environment):
        return pulumi.Output.secret(environment[declared.environment])
    if declared.required:
        raise SettingsError(
            f"{key} is not set: `pulumi config set --secret {key} …`, or set {declared.environment} in the environment"
        )
    return None


def secret_text(key: str, *, environment: Mapping[str, str]) -> str | None:
    """The same in clear, for a question that the program itself asks (a registry's login). Never goes into a
    resource: that is what `secret` is for."""
    from pulumi.runtime import config as runtime_config

    return runtime_config.get_config(key) or environment.get(SECRETS[key].environment) or None


def _is_ours(key: str) -> bool:
    return key.partition(":")[0] in {PROJECT, "runpod", "cloudflare"}


def _unknown(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"{key} is no key of this project" + (f": did you mean {close[0]}?" if close else "")


def _split(text: str) -> tuple[str, ...]:
    if text.lstrip().startswith("["):
        return tuple(str(entry) for entry in json.loads(text))
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _sentences(invalid: ValidationError, given: Mapping[str, Any]) -> list[str]:
    """`photo-splat:gpuCount is 9: Input should be less than or equal to 8. Number of GPUs per worker.`"""
    lines = []
    for error in invalid.errors():
        message = error["msg"].removeprefix("Value error, ")
        if not error["loc"]:
            lines += [f"{PROJECT}:{line}" for line in message.splitlines()]
            continue
        alias = str(error["loc"][0])
        name = next(n for n, f in Settings.model_fields.items() if alias in (n, f.alias, to_camel(n)))
        about = Settings.model_fields[name].description
        value = given.get(name)
        shown = f"is {', '.join(value) if isinstance(value, tuple) else value}" if name in given else "is not set"
        lines.append(f"{config_key(name)} {shown}: {message}. {about}")
    return lines
