"""On destroy every active job is cancelled with the reason, over all pages."""

from __future__ import annotations

import json

import httpx
import pytest

from infra.lifecycle.cancel_jobs import PAGE_SIZE, REASON, CancelJobsProvider, cancel_all

PAGES = {
    "": {"projects": [{"id": "p_1", "state": "running"}, {"id": "p_2", "state": "done"}], "cursor": "second"},
    "second": {"projects": [{"id": "p_3", "state": "queued"}, {"id": "p_4", "state": "running"}], "cursor": None},
}


def test_every_queued_or_running_job_is_cancelled_with_the_reason() -> None:
    asked = []

    def app(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer splat_token"
        if request.method == "GET":
            assert request.url.params["limit"] == str(PAGE_SIZE)
            return httpx.Response(200, json=PAGES[request.url.params.get("cursor", "")])
        asked.append((request.url.path, json.loads(request.content)))
        return httpx.Response(409 if "p_4" in request.url.path else 202, json={})

    done = cancel_all("https://app.example", token="splat_token", transport=httpx.MockTransport(app))

    assert done == ["p_1", "p_3"]  # p_4 ended by itself meanwhile
    assert asked == [(f"/api/projects/{name}/jobs/cancel", {"reason": REASON}) for name in ("p_1", "p_3", "p_4")]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, text="no"),
        httpx.Response(200, json={"other": "app"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=["x"]),
        httpx.ConnectError("refused"),
    ],
)
def test_an_app_that_does_not_answer_does_not_stop_a_destroy(
    answer: httpx.Response | Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _self, request: app(request))
    CancelJobsProvider().delete("x", {"appUrl": "https://app.example", "token": "splat_token"})
    said = capsys.readouterr().out
    assert said.startswith("could not list running jobs (")
    assert "splat_token" not in said
