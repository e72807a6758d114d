"""One job and its states: IN_QUEUE -> IN_PROGRESS -> COMPLETED | FAILED | CANCELLED | TIMED_OUT.
Pure: every transition takes the time; a final state is never left except by `retry`."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from local_cloud.runpod.core import limits


class Status(StrEnum):
    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT})
# docs: "COMPLETED, FAILED". That TIMED_OUT has a webhook and CANCELLED has none are guesses.
WEBHOOK_STATES = frozenset({Status.COMPLETED, Status.FAILED, Status.TIMED_OUT})

MISSING = object()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    execution_timeout_ms: int | None = None  # None: the endpoint's own timeout counts
    ttl_ms: int = limits.TTL_DEFAULT_MS
    low_priority: bool = False


@dataclasses.dataclass(kw_only=True, eq=False)
class Job:
    """Times are virtual unix seconds. `output` is MISSING until a worker sent one."""

    id: str
    endpoint_id: str
    request: dict[str, Any]  # the body as sent; the worker's job object is built from it
    policy: Policy
    sync: bool
    kept_s: float
    submitted_s: float
    status: Status = Status.IN_QUEUE
    started_s: float | None = None
    finished_s: float | None = None
    worker_id: str | None = None
    output: Any = MISSING
    error: Any = MISSING
    redispatches: int = 0
    chunks: list[Any] = dataclasses.field(default_factory=list)
    # Real time of the last sign that a worker has this job: taken, or named in a ping.
    claimed_wall_s: float = 0.0

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def webhook(self) -> str | None:
        url = self.request.get("webhook")
        return url if isinstance(url, str) and url else None

    def start(self, worker_id: str, *, now_s: float, wall_s: float) -> None:
        self._expect(Status.IN_QUEUE)
        self.status = Status.IN_PROGRESS
        self.worker_id = worker_id
        self.started_s = now_s
        self.claimed_wall_s = wall_s

    def progress(self, output: Any) -> None:
        self._expect(Status.IN_PROGRESS)
        self.output = output

    def finish(self, status: Status, *, now_s: float, output: Any = MISSING, error: Any = MISSING) -> None:
        """Into a final state; the last progress message is dropped, as only a result is an output."""
        if self.final or status not in FINAL:
            raise ValueError(f"job {self.id} cannot go from {self.status} to {status}")
        self.status = status
        self.finished_s = now_s
        self.output = output
        self.error = error

    def put_back(self) -> None:
        """Back into the queue because its worker was lost; what that worker streamed is dropped."""
        self._expect(Status.IN_PROGRESS)
        self.status = Status.IN_QUEUE
        self.redispatches += 1
        self.started_s = None
        self.worker_id = None
        self.output = MISSING
        self.chunks.clear()

    def retry(self, *, now_s: float) -> None:
        """The explicit retry of a failed or timed-out job: same id, all times count from now."""
        if self.status not in (Status.FAILED, Status.TIMED_OUT):
            raise ValueError(f"job {self.id} is {self.status}; only FAILED or TIMED_OUT can be retried")
        self.status = Status.IN_QUEUE
        self.submitted_s = now_s
        self.redispatches = 0
        self.started_s = self.finished_s = self.worker_id = None
        self.output = self.error = MISSING
        self.chunks.clear()

    def expires_s(self) -> float:
        """When the job is dropped: at its ttl, or earlier at the end of its result's retention."""
        end = self.submitted_s + self.policy.ttl_ms / 1000
        if self.finished_s is not None:
            end = min(end, self.finished_s + self.kept_s)
        return end

    def _expect(self, status: Status) -> None:
        if self.status is not status:
            raise ValueError(f"job {self.id} is {self.status}, expected {status}")
