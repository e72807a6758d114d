"""Scripted failures: which fault strikes now. Pure counting and matching, no randomness.
faults/transport.py, fleet/faults.py and jobs/webhooks.py carry the faults out."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Kind(StrEnum):
    LATENCY = "latency"
    STATUS = "status"
    RESET = "reset"  # the connection breaks before the request has any effect
    LOST_ANSWER = "lost_answer"  # the request has its effect, then the connection breaks
    FAILED_ANSWER = "failed_answer"  # the request has its effect, the answer is an error
    LATE_ANSWER = "late_answer"  # the request has its effect, the answer comes `latency_s` later
    WORKER_KILLED = "worker_killed"  # SIGKILL to the whole group, `after_s` after it took a job
    WORKER_NEVER_STARTS = "worker_never_starts"
    WORKER_THROTTLED = "worker_throttled"
    WEBHOOK_DROPPED = "webhook_dropped"
    WEBHOOK_DOUBLED = "webhook_doubled"


HTTP_KINDS = frozenset({Kind.LATENCY, Kind.STATUS, Kind.RESET, Kind.LOST_ANSWER, Kind.FAILED_ANSWER, Kind.LATE_ANSWER})


class Fault(BaseModel):
    """One fault. `route` ("PATCH /v2/serverless/*") for HTTP kinds, `endpoint` (id glob) for the others.

    It strikes from the `nth` match on, `times` times (null: until removed).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    route: str | None = None
    endpoint: str = "*"
    nth: int = Field(default=1, ge=1)
    times: int | None = Field(default=1, ge=1)
    status: int = Field(default=500, ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)
    latency_s: float = Field(default=1.0, ge=0, description="Real seconds.")
    after_s: float = Field(default=0.0, ge=0, description="Real seconds after the worker took a job.")

    @model_validator(mode="after")
    def _route_where_needed(self) -> Fault:
        if (self.kind in HTTP_KINDS) != (self.route is not None):
            raise ValueError(
                f"route is required for {', '.join(sorted(HTTP_KINDS))} and not allowed for any other kind"
            )
        return self


@dataclasses.dataclass
class Armed:
    id: int
    fault: Fault
    matched: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        self.matched += 1
        if self.matched < self.fault.nth:
            return False
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        self.struck += 1
        return True


class Faults:
    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> Armed:
        self._last_id += 1
        armed = Armed(self._last_id, fault)
        self._armed[armed.id] = armed
        return armed

    def remove(self, fault_id: int) -> bool:
        return self._armed.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._armed.clear()

    def __iter__(self) -> Iterator[Armed]:
        return iter(self._armed.values())

    def for_request(self, method: str, path: str) -> list[Fault]:
        """The HTTP faults that strike this request, in the order they were added."""
        line = f"{method} {path}"
        return [
            one.fault
            for one in self._armed.values()
            if one.fault.route is not None and fnmatch.fnmatchcase(line, one.fault.route) and one.strikes()
        ]

    def strike(
        self,
        kind: Literal[
            Kind.WORKER_KILLED,
            Kind.WORKER_NEVER_STARTS,
            Kind.WORKER_THROTTLED,
            Kind.WEBHOOK_DROPPED,
            Kind.WEBHOOK_DOUBLED,
        ],
        endpoint_id: str,
    ) -> Fault | None:
        """The first fault of this kind that strikes this endpoint now."""
        for one in self._armed.values():
            if one.fault.kind is kind and fnmatch.fnmatchcase(endpoint_id, one.fault.endpoint) and one.strikes():
                return one.fault
        return None
