"""Cancels the jobs that still run when a stack is destroyed, and gives their owners the reason.
Does nothing before that day; never stops a destroy.

Declared after everything else and so deleted first, while the Worker can still cancel at RunPod and notify whoever
watches. A job that it cannot reach stops with the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pulumi
from pulumi.dynamic import Resource

from infra.dynamic import Props, StoredInputs

REASON = "The service is being taken down."
ACTIVE = frozenset({"queued", "running"})
TIMEOUT_S = 15.0
PAGE_SIZE = 100
PAGES_MAX = 50


class CancelJobsProvider(StoredInputs):
    """Stores the access to the app (address and operator token) for the day of deletion."""

    inputs = ("appUrl", "token")
    id_input = "appUrl"

    def delete(self, _id: str, props: Props) -> None:
        try:
            for name in cancel_all(str(props["appUrl"]), token=str(props["token"])):
                print(f"cancelled the job of project {name}, with the reason: {REASON}")
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as problem:
            # A half-created stack has no app, and another network cannot reach it.
            print(
                f"could not list running jobs ({type(problem).__name__}). They will stop with the endpoint, without "
                "notice to their owners"
            )


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
            # 404 and 409: deleted or ended meanwhile.
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


class CancelJobs(Resource, module="lifecycle", name="CancelJobs"):
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
            CancelJobsProvider(), resource_name, {"appUrl": app_url, "token": pulumi.Output.secret(token)}, opts
        )
