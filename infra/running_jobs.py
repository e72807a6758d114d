"""The jobs that still run when a stack is destroyed: cancelled first, with the reason told to their people.
Starts, reads and changes nothing before that day; never stands in the way of a destroy.

Declared after everything else, so it goes first, while the Worker can still cancel at RunPod and tell whoever
watches. What it cannot reach is cancelled all the same, with the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

REASON = "The service is being taken down."
ACTIVE = frozenset({"queued", "running"})
TIMEOUT_S = 15.0
PAGE_SIZE = 100
PAGES_MAX = 50
Props = dict[str, Any]
_KEYS = ("appUrl", "token")


class RunningJobsProvider(ResourceProvider):
    """Holds the way to the app (address and operator token) for the day of deletion."""

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in _KEYS))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props["appUrl"]), {key: props[key] for key in _KEYS})

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult({key: news[key] for key in _KEYS})

    def delete(self, _id: str, props: Props) -> None:
        try:
            for name in cancel_all(str(props["appUrl"]), token=str(props["token"])):
                print(f"cancelled the job of project {name}; it says: {REASON}")
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as problem:
            # A half-made stack has no app, another network cannot reach it: the endpoint's deletion ends the jobs.
            print(f"the app did not say which jobs run ({type(problem).__name__}): they end with the endpoint, untold")


def cancel_all(app_url: str, *, token: str, transport: httpx.BaseTransport | None = None) -> list[str]:
    """Cancel every queued or running job with the reason. Returns the ids of their projects. Raises httpx.HTTPError."""
    cancelled = []
    with httpx.Client(
        base_url=app_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, transport=transport
    ) as http:
        for project in _projects(http):
            if project["state"] not in ACTIVE:
                continue
            answer = http.post(f"/api/projects/{project['id']}/jobs/cancel", json={"reason": REASON})
            # 404, 409: deleted or ended meanwhile.
            if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
                continue
            answer.raise_for_status()
            cancelled.append(str(project["id"]))
    return cancelled


def _projects(http: httpx.Client) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        answer = http.get("/api/projects", params={"limit": PAGE_SIZE, **({"cursor": cursor} if cursor else {})})
        answer.raise_for_status()
        body = answer.json()
        yield from body["projects"]
        cursor = body.get("cursor")
        if not cursor:
            return


class RunningJobs(Resource, module="splat", name="RunningJobs"):
    """Let it depend on everything that a job needs to be cancelled."""

    def __init__(
        self,
        resource_name: str,
        *,
        app_url: str,
        token: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            RunningJobsProvider(), resource_name, {"appUrl": app_url, "token": pulumi.Output.secret(token)}, opts
        )
