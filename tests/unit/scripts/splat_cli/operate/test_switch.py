"""Stop and resume against a scripted edge and RunPod: the order of calls and what each sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from infra.runpod.client import RunPodClient
from infra.settings.load import read_settings
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.operate import switch

ACCOUNT = {"photo-splat:cloudflareAccountId": "0" * 32, "photo-splat:appUrl": "https://edge.test"}
CONFIG = {**ACCOUNT, "photo-splat:image": f"ghcr.io/team/splat@sha256:{'0' * 64}", "photo-splat:scaling": "medium"}
STOPPED = {"at": "2026-11-30T12:00:00.000Z", "reason": "Maintenance."}


@dataclass(kw_only=True)
class Access:
    """What switch.py uses of a StackAccess, with clients of this test's own server."""

    workers: dict[str, int] = field(default_factory=lambda: {"min": 0, "max": 5, "idleTimeout": 30})
    refuse: str = ""
    calls: list[str] = field(default_factory=list)
    endpoint_id: str = "ep1"
    settings: Any = field(default_factory=lambda: read_settings(CONFIG))

    def edge(self) -> EdgeClient:
        return EdgeClient("https://edge.test", "token", transport=httpx.MockTransport(self._answer))

    def runpod(self) -> RunPodClient:
        return RunPodClient(
            api_key="key", api_url="https://runpod.test/v2", transport=httpx.MockTransport(self._answer)
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if self.calls[-1] == self.refuse:
            return httpx.Response(403, json={"title": "Forbidden", "detail": "no right to write"})
        if request.url.path == "/api/stop":
            return httpx.Response(200, json={"stopped": STOPPED})
        if request.url.path == "/api/resume":
            return httpx.Response(200, json={"stopped": None})
        if request.method == "PATCH":
            self.workers = json.loads(request.content)["workers"]
        return httpx.Response(200, json={"id": "ep1", "workers": self.workers})


def test_a_stop_ends_jobs_first_and_then_sets_both_numbers_of_workers_to_zero() -> None:
    access = Access()
    report = switch.stop(access, "Maintenance.")  # type: ignore[arg-type]
    assert access.calls == ["POST /api/stop", "GET /v2/serverless/ep1", "PATCH /v2/serverless/ep1"]
    assert access.workers == {"min": 0, "max": 0, "idleTimeout": 30}
    assert report.as_json() == {"stopped": True, "reason": "Maintenance.", "workers": {"min": 0, "max": 0}}
    assert report.lines()[-1] == "Continue with: splat resume"


def test_a_resume_sets_the_workers_of_the_configuration_before_jobs_start() -> None:
    access = Access(workers={"min": 0, "max": 0, "idleTimeout": 30})
    report = switch.resume(access)  # type: ignore[arg-type]
    assert access.calls == ["GET /v2/serverless/ep1", "PATCH /v2/serverless/ep1", "POST /api/resume"]
    assert access.workers == {"min": 0, "max": 5, "idleTimeout": 30}
    assert report.lines() == ["Resumed: jobs start again, with 0 to 5 workers."]


def test_workers_that_are_set_already_are_left_alone() -> None:
    access = Access()
    switch.resume(access)  # type: ignore[arg-type]
    assert access.calls == ["GET /v2/serverless/ep1", "POST /api/resume"]


def test_a_key_without_the_right_is_named_and_jobs_stay_stopped() -> None:
    access = Access(workers={"min": 0, "max": 0, "idleTimeout": 30}, refuse="PATCH /v2/serverless/ep1")
    with pytest.raises(ServiceError, match="ep1 were not changed") as caught:
        switch.resume(access)  # type: ignore[arg-type]
    assert "runpod:apiKey" in caught.value.hint
    assert "POST /api/resume" not in access.calls
