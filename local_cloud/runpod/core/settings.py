"""Settings that a test or an operator can change through the control API while the stand-in runs.
The platform's fixed numbers are in limits.py."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from local_cloud.runpod.core import limits


class Settings(BaseModel):
    """`PATCH /_control/settings` takes any subset and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, frozen=False)

    worker_quota: int = Field(
        default=10,
        ge=0,
        description="Largest allowed sum of workers.max over all endpoints. The documentation starts at 5 and "
        "allows 10 from a balance of $100.",
    )
    list_page_max: int = Field(
        default=limits.LIST_PAGE_MAX,
        ge=1,
        le=limits.LIST_PAGE_MAX,
        description="Most items of a list in one answer. Smaller than the platform's, it lets a test see that a "
        "client reads every page.",
    )
    rate_limit_minute: int | None = Field(
        default=180,
        ge=1,
        description="Management requests per minute; null turns off all rate limits and their headers. "
        "A capture of the live API showed 176 left in the minute and 7 193 in the hour.",
    )
    rate_limit_hour: int = Field(default=7_200, ge=1, description="Management requests per hour.")
    rate_limit_day: int = Field(default=50_000, ge=1, description="Management requests per day.")
    job_rate_limits: bool = Field(default=True, description="Whether the job API's limits per 10 s count.")
    ping_interval_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="RUNPOD_PING_INTERVAL of workers that start from now on. The SDK divides it by 1000 and drops "
        "the remainder.",
    )
    lost_after_s: float = Field(
        default=40.0,
        gt=0,
        description="Real seconds after which a job that no ping names, or a worker without any ping, counts as "
        "lost. About 40 s was observed.",
    )
    stop_grace_s: float = Field(
        default=10.0,
        ge=0,
        description="Real seconds between SIGTERM and SIGKILL. Also how long pings can still name a stopped job "
        "before its worker is ended.",
    )
    start_delay_s: float = Field(
        default=0.0,
        ge=0,
        description="Virtual seconds before a new worker's process starts: image pull and container start.",
    )
    flashboot_start_delay_s: float = Field(
        default=0.0, ge=0, description="Virtual seconds before FlashBoot wakes a parked worker."
    )
    init_timeout_s: float = Field(
        default=600.0, gt=0, description="Virtual seconds until a worker that never polled counts as failed."
    )
    key_revoked: bool = Field(
        default=False,
        description="Whether the job and management APIs answer 401 to the account's key. The control API still "
        "accepts it, and workers keep their own keys.",
    )
    worker_disk_mb: int | None = Field(
        default=None,
        ge=1,
        description="Size in MiB of the container disk of workers that start from now on; null: no limit. "
        "The endpoint's own `disk` is far larger than a test should fill.",
    )
    worker_clock_skew_s: int = Field(
        default=0,
        description="How far the wall clock of workers that start from now on is ahead, or behind where negative.",
    )
    throttled_s: float = Field(default=5.0, gt=0, description="Virtual seconds of one throttled fault.")
    idle_scale_down: bool = Field(
        default=False,
        description="Whether endpoints without requests lose workers.max as on the platform: 2 after 3 days, "
        "0 after 7. Off by default, so that a local stack still works after days without a request.",
    )
    tick_s: float = Field(default=0.1, gt=0, le=5, description="Real seconds between two runs of the autoscaler.")
