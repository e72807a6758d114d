"""Stops and resumes a deployment: the edge's switch, and the endpoint's workers through RunPod's management API.
The edge cannot set workers; this uses the operator's key (docs/decisions/0020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.runpod.errors import RunPodError
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.stack_access import StackAccess


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is in force now. reason: None when jobs start. workers: minimum and maximum of the endpoint."""

    reason: str | None
    workers: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        low, high = self.workers
        return {"stopped": self.reason is not None, "reason": self.reason, "workers": {"min": low, "max": high}}

    def lines(self) -> list[str]:
        low, high = self.workers
        if self.reason is None:
            return [f"Resumed: jobs start again, with {low} to {high} workers."]
        return [
            f"Stopped: {self.reason}",
            f"No job starts, and jobs that wait end. The endpoint has {low} to {high} workers.",
            "Continue with: splat resume",
        ]


def stop(access: StackAccess, reason: str) -> Report:
    """No new jobs first, then no workers. A stop that is in force keeps its reason. Raises ServiceError."""
    with access.edge() as edge:
        stopped = edge.stop_jobs(reason)
    return Report(reason=stopped.reason, workers=_set_workers(access, (0, 0)))


def resume(access: StackAccess) -> Report:
    """The workers of the configuration first, then jobs. Raises ServiceError."""
    workers = _set_workers(access, access.settings.scaling.workers)
    with access.edge() as edge:
        edge.resume_jobs()
    return Report(reason=None, workers=workers)


def _set_workers(access: StackAccess, wanted: tuple[int, int]) -> tuple[int, int]:
    runpod = access.runpod()
    try:
        endpoint = runpod.get_endpoint(access.endpoint_id)
        body = workers_body(endpoint, wanted)
        if body is not None:
            endpoint = runpod.update_endpoint(access.endpoint_id, body)
        found = endpoint["workers"]
        return int(found["min"]), int(found["max"])
    except RunPodError as problem:
        raise ServiceError(
            f"The workers of endpoint {access.endpoint_id} were not changed: {problem}",
            hint="check runpod:apiKey and its rights, then run the same command again",
        ) from None
    finally:
        runpod.close()


def workers_body(endpoint: Mapping[str, Any], wanted: tuple[int, int]) -> dict[str, Any] | None:
    """The PATCH that sets minimum and maximum, or None if they are set. A sub-object is sent whole."""
    current = endpoint["workers"]
    if (current["min"], current["max"]) == wanted:
        return None
    return {"workers": {**current, "min": wanted[0], "max": wanted[1]}}
