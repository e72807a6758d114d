"""What a test or an operator may change while the stand-in runs, through the control API.
Never holds the platform's fixed numbers (limits.py) or anything a cloud client could see as state."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Live knobs; `PATCH /_control/settings` takes any subset, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, frozen=False)

    worker_quota: int = Field(
        default=10,
        ge=0,
        description="Sum of workers.max over all endpoints that the account may reach. The documentation "
        "starts at 5 and gives 10 from a balance of $100 on.",
    )
    rate_limit_minute: int | None = Field(
        default=180,
        ge=1,
        description="Management requests per minute; null switches all rate limits (and headers) off. "
        "A capture of the live API showed 176 left in the minute and 7 193 in the hour.",
    )
    rate_limit_hour: int = Field(default=7_200, ge=1, description="Management requests per hour.")
    rate_limit_day: int = Field(default=50_000, ge=1, description="Management requests per day.")
    job_rate_limits: bool = Field(default=True, description="Whether the job API's limits per 10 s count.")
    ping_interval_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="RUNPOD_PING_INTERVAL of workers started from now on; the SDK divides by 1000 whole.",
    )
    lost_after_s: float = Field(
        default=40.0,
        gt=0,
        description="Real seconds without a sign of a job (ping that names it) or of a worker (any ping) "
        "after which it counts as lost; about 40 s was observed.",
    )
    stop_grace_s: float = Field(
        default=10.0,
        ge=0,
        description="Real seconds between SIGTERM and SIGKILL, and how long a stopped job may linger in "
        "pings before its worker is ended.",
    )
    start_delay_s: float = Field(
        default=0.0,
        ge=0,
        description="Virtual seconds before a new worker's process starts: image pull and container start.",
    )
    flashboot_start_delay_s: float = Field(
        default=0.0, ge=0, description="The same for a worker that FlashBoot wakes from its parked state."
    )
    init_timeout_s: float = Field(
        default=600.0, gt=0, description="Virtual seconds until a worker that never polled is given up."
    )
    throttled_s: float = Field(default=5.0, gt=0, description="Virtual seconds of one throttled fault.")
    balanced_wait_s: float = Field(
        default=120.0,
        gt=0,
        description="Real seconds that a request to a load balancing endpoint waits for a healthy worker.",
    )
    idle_scale_down: bool = Field(
        default=False,
        description="Whether endpoints without requests lose workers.max as on the platform: 2 after 3 days, "
        "0 after 7. Off, because a local stack is left alone for days and should still work.",
    )
    tick_s: float = Field(default=0.1, gt=0, le=5, description="Real seconds between autoscaler looks.")
