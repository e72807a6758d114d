"""The RunPod client: what it retries, what it never repeats, and what its errors say."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from infra.runpod import errors
from infra.runpod.client import RetryPolicy, RunPodClient, client_from_config, retry_after_s

KEY = "rpa_SECRETKEY"
NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
Answer = httpx.Response | Exception


class Server:
    """Answers in order; the last one again and again. Records what was asked and how long was waited."""

    def __init__(self, *answers: Answer | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def client(self, attempts: int = 4) -> RunPodClient:
        return RunPodClient(
            api_key=KEY,
            api_url="https://api.example/v2",
            job_url="https://jobs.example/v2",
            transport=httpx.MockTransport(self),
            retry=RetryPolicy(attempts=attempts, first_wait_s=1.0, longest_wait_s=4.0, longest_retry_after_s=60.0),
            sleep=self.waits.append,
            jitter=lambda: 1.0,
        )


def problem(
    status: int, detail: str = "no", *, entries: list[str] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"title": "Title", "status": status, "detail": detail, **({"errors": entries} if entries else {})}
    return httpx.Response(
        status, content=json.dumps(body), headers={"content-type": "application/problem+json", **(headers or {})}
    )


OK = httpx.Response(200, json={"id": "ep1"})


def test_the_key_travels_in_the_header_and_nowhere_else() -> None:
    server = Server(OK)
    client = server.client()
    client.get_endpoint("ep1")
    [request] = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)
    assert KEY not in repr(client)
    assert request.headers["user-agent"].startswith("photo-splat-infra/")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500])
def test_no_error_holds_the_key(status: int) -> None:
    with pytest.raises(errors.RunPodError) as caught:
        Server(problem(status)).client(attempts=1).get_endpoint("ep1")
    assert KEY not in f"{caught.value!s}{caught.value!r}{vars(caught.value)!r}"


@pytest.mark.parametrize(
    ("answer", "method", "tries"),
    [
        (problem(500), "GET", 4),
        (problem(503), "PATCH", 4),
        (problem(500), "DELETE", 4),
        (problem(500), "POST", 1),
        (problem(429), "POST", 4),  # answered before any effect
        (problem(400), "GET", 1),
        (problem(404), "DELETE", 1),
        (problem(422), "PATCH", 1),
        (httpx.ReadTimeout("slow"), "GET", 4),
        (httpx.ReadTimeout("slow"), "POST", 1),  # it may have taken effect
        (httpx.RemoteProtocolError("cut"), "POST", 1),
        (httpx.ConnectError("down"), "POST", 4),  # nothing was sent
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else getattr(value, "status_code", value),
)
def test_only_what_is_safe_to_repeat_is_repeated(answer: Answer, method: str, tries: int) -> None:
    server = Server(answer)
    client = server.client()
    calls = {
        "GET": lambda: client.get_endpoint("e"),
        "PATCH": lambda: client.update_endpoint("e", {"timeout": 1}),
        "DELETE": lambda: client.delete_endpoint("e"),
        "POST": lambda: client.create_endpoint({"name": "n"}),
    }
    with pytest.raises(errors.RunPodError):
        calls[method]()
    assert len(server.requests) == tries


def test_waits_grow_with_jitter_up_to_a_limit() -> None:
    server = Server(problem(500))
    with pytest.raises(errors.ServerError):
        server.client(attempts=6).get_endpoint("e")
    assert server.waits == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_busy_server_is_asked_again_after_the_wait_that_it_names() -> None:
    server = Server(problem(429, headers={"retry-after": "7"}), OK)
    assert server.client().get_endpoint("e") == {"id": "ep1"}
    assert server.waits == [7.0]


def test_a_failing_server_is_asked_again_after_the_wait_that_it_names() -> None:
    server = Server(problem(503, headers={"retry-after": "9"}), OK)
    assert server.client().get_endpoint("e") == {"id": "ep1"}
    assert server.waits == [9.0]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["86400", "9" * 400])
def test_a_wait_of_days_is_an_error_and_not_slept(status: int, wait: str) -> None:
    server = Server(problem(status, headers={"retry-after": wait}))
    with pytest.raises(errors.Refused):
        server.client().get_endpoint("e")
    assert (len(server.requests), server.waits) == (1, [])


@pytest.mark.parametrize("key", ["", "rpa_KEY WITH BLANK", "rpa_KEY\n", "rpa_KÉY", "rpa_KEY\x00", "“rpa_KEY”"])
def test_a_key_that_no_header_can_carry_is_rejected_without_showing_it(key: str) -> None:
    with pytest.raises(errors.UnusableKey) as caught:
        RunPodClient(api_key=key)
    seen = f"{caught.value!s}{caught.value!r}{''.join(traceback.format_exception(caught.value))}"
    assert "KEY" not in seen.replace("RUNPOD_API_KEY", "").replace("UnusableKey", "")
    assert "KÉY" not in seen


def test_a_wait_of_hours_is_an_error_and_not_slept() -> None:
    server = Server(problem(429, headers={"retry-after": "7200"}))
    with pytest.raises(errors.Busy) as caught:
        server.client().get_endpoint("e")
    assert server.waits == []
    assert caught.value.retry_after_s == 7200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({}, 0.0),
        ({"ratelimit": '"minute";r=0;t=12'}, 12.0),
        ({"ratelimit": '"minute";r=0;t=12, "hour";r=0;t=900'}, 900.0),
        ({"ratelimit": '"minute";r=5;t=12'}, 0.0),
        ({"ratelimit": "nonsense;r;t"}, 0.0),
        ({"retry-after": "2", "ratelimit": '"minute";r=0;t=12'}, 2.0),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 25 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 25 Nov 2026 12:00:30"}, 0.0),
        ({"retry-after": "Wed, 25 Nov 99999 12:00:30 GMT"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after": "1e3"}, 0.0),
        ({"retry-after": "1_0"}, 0.0),
        ({"retry-after": "١٢"}, 0.0),
        ({"retry-after": "9" * 400}, float("inf")),
        ({"retry-after": "soon", "ratelimit": '"minute";r=0;t=12'}, 12.0),
        ({"ratelimit": '"minute";r=0;t=-3'}, 0.0),
        ({"ratelimit": '"minute";r=0;t=inf'}, 0.0),
        ({"ratelimit": '"minute";r=;t='}, 0.0),
    ],
)
def test_the_asked_wait_is_read_from_what_the_server_sends(headers: dict[str, str], seconds: float) -> None:
    assert retry_after_s(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Rejected),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.Rejected),
        (422, errors.Rejected),
        (429, errors.Busy),
        (500, errors.ServerError),
        (502, errors.ServerError),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[errors.RunPodError]) -> None:
    with pytest.raises(kind) as caught:
        Server(problem(status)).client(attempts=1).get_endpoint("e")
    assert type(caught.value) is kind


def test_an_error_carries_every_entry_and_the_request_id() -> None:
    answer = problem(
        422, "validation failed", entries=["$.gpu: bad", "$.name: empty"], headers={"x-request-id": "req-7"}
    )
    with pytest.raises(errors.Rejected) as caught:
        Server(answer).client().create_endpoint({})
    text = str(caught.value)
    assert text.startswith("RunPod POST /serverless: 422 Title: validation failed")
    assert "$.gpu: bad" in text
    assert "$.name: empty" in text
    assert "req-7" in text


@pytest.mark.parametrize(
    ("status", "detail", "advice"),
    [
        (400, "max workers across all endpoints must not exceed 5", "photo-splat:workersMax"),
        (400, "There are no longer any instances available", "Add GPUs"),
        (400, "would exceed your hourly spend limit", "spend cap"),
        (400, "image not found: manifest unknown", "photo-splat:image"),
        (401, "unauthorized", "runpod:apiKey"),
        (403, "forbidden", "lacks the right"),
    ],
)
def test_a_known_refusal_has_advice(status: int, detail: str, advice: str) -> None:
    with pytest.raises(errors.Refused) as caught:
        Server(problem(status, detail)).client(attempts=1).create_endpoint({})
    assert advice in caught.value.advice
    assert detail in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>login</html>"),
        httpx.Response(200, json=["not", "an", "object"]),
        httpx.Response(200, json={"somethingElse": []}),
    ],
)
def test_an_answer_of_another_shape_is_an_error(answer: httpx.Response) -> None:
    with pytest.raises(errors.UnexpectedAnswer):
        Server(answer).client().list_endpoints()


def pages(*found: dict[str, object]) -> list[httpx.Response]:
    return [httpx.Response(200, json=one) for one in found]


@pytest.mark.parametrize(
    ("answers", "ids", "asked"),
    [
        (pages({"endpoints": [{"id": "a"}]}), ["a"], [""]),
        (
            pages({"endpoints": [{"id": "a"}], "pagination": {"hasNextPage": False, "nextCursor": None}}),
            ["a"],
            [""],
        ),
        (
            pages(
                {"endpoints": [{"id": "a"}], "pagination": {"hasNextPage": True, "nextCursor": "b&=+ c"}},
                {"endpoints": [], "pagination": {"hasNextPage": True, "nextCursor": "d"}},
                {"endpoints": [{"id": "e"}], "pagination": {"hasNextPage": False, "nextCursor": None}},
            ),
            ["a", "e"],
            ["", "b&=+ c", "d"],
        ),
    ],
)
def test_a_list_is_read_to_its_last_page(answers: list[httpx.Response], ids: list[str], asked: list[str]) -> None:
    server = Server(*answers)
    assert [one["id"] for one in server.client().list_endpoints()] == ids
    assert [request.url.params.get("cursor", "") for request in server.requests] == asked


def test_the_other_parameters_of_a_list_are_on_every_page() -> None:
    more = {"gpus": [], "pagination": {"hasNextPage": True, "nextCursor": "x"}}
    server = Server(*pages(more, {"gpus": []}))
    server.client().list_gpus()
    assert [dict(request.url.params) for request in server.requests] == [
        {"include": "AVAILABILITY", "product": "SERVERLESS"},
        {"include": "AVAILABILITY", "product": "SERVERLESS", "cursor": "x"},
    ]


def test_a_list_that_never_ends_is_an_error() -> None:
    server = Server(*pages({"endpoints": [], "pagination": {"hasNextPage": True, "nextCursor": "x"}}))
    with pytest.raises(errors.UnexpectedAnswer, match="never ends"):
        server.client().list_endpoints()
    assert len(server.requests) == 2


def test_a_long_foreign_answer_is_shortened() -> None:
    with pytest.raises(errors.ServerError) as caught:
        Server(httpx.Response(502, text="x" * 5000)).client(attempts=1).get_endpoint("e")
    assert len(str(caught.value)) < 1000


def test_an_id_cannot_reach_another_path() -> None:
    server = Server(OK)
    server.client().get_endpoint("../registries/r1")
    assert server.requests[0].url.raw_path == b"/v2/serverless/..%2Fregistries%2Fr1"


def _leaves(kind: type[Exception]) -> list[type[Exception]]:
    return [leaf for sub in kind.__subclasses__() for leaf in _leaves(sub)] or [kind]


@pytest.mark.parametrize("kind", _leaves(httpx.RequestError), ids=lambda kind: kind.__name__)
def test_every_request_error_of_httpx_becomes_ours(kind: type[Exception]) -> None:
    with pytest.raises((errors.Unreachable, errors.OutcomeUnknown)):
        Server(kind("low level")).client(attempts=1).create_endpoint({})


JOB_CALLS: dict[str, Callable[[RunPodClient], object]] = {
    "POST": lambda client: client.run_job("ep1", {"selftest": True}),
    "GET": lambda client: client.job("ep1", "job1"),
}


@pytest.mark.parametrize(
    ("answer", "kind", "tries"),
    [
        (problem(401), errors.Unauthorized, {"POST": 1, "GET": 1}),
        (problem(404), errors.NotFound, {"POST": 1, "GET": 1}),
        (problem(429), errors.Busy, {"POST": 4, "GET": 4}),
        (problem(503), errors.ServerError, {"POST": 1, "GET": 4}),
        (httpx.ReadTimeout("slow"), errors.OutcomeUnknown, {"POST": 1, "GET": 4}),
        (httpx.ConnectError("down"), errors.Unreachable, {"POST": 4, "GET": 4}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_job_api_has_the_same_errors_and_repeats(
    answer: Answer, kind: type[errors.RunPodError], tries: dict[str, int], method: str
) -> None:
    server = Server(answer)
    with pytest.raises(kind) as caught:
        JOB_CALLS[method](server.client())
    assert type(caught.value) is kind
    assert len(server.requests) == tries[method]
    assert caught.value.call.startswith(f"{method} /v2/ep1/")
    assert KEY not in str(caught.value)


def test_jobs_go_to_the_job_address_and_everything_else_to_the_management_address() -> None:
    server = Server(httpx.Response(200, json={"id": "job1", "endpoints": []}))
    client = server.client()
    assert client.run_job("ep1", {"selftest": True}) == "job1"
    client.list_endpoints()
    assert [str(request.url) for request in server.requests] == [
        "https://jobs.example/v2/ep1/run",
        "https://api.example/v2/serverless",
    ]
    assert json.loads(server.requests[0].content) == {"input": {"selftest": True}}


@pytest.mark.parametrize(("method", "key"), [("POST", "runpod:jobUrl"), ("GET", "runpod:apiUrl")])
def test_an_unreachable_address_names_its_configuration_key(method: str, key: str) -> None:
    client = Server(httpx.ConnectError("down")).client(attempts=1)
    with pytest.raises(errors.Unreachable) as caught:
        client.run_job("ep1", {}) if method == "POST" else client.list_endpoints()
    assert key in caught.value.advice


def test_without_a_key_both_ways_to_give_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(errors.MissingKey, match=r"config set --secret runpod:apiKey`, or set RUNPOD_API_KEY"):
        client_from_config({})


EVENTS = (
    'id: 2026-11-30T10:00:00Z/1\ndata: {"ts": "2026-11-30T10:00:00Z", "source": "system", "line": "starting"}\n\n'
    ': waiting\n\ndata: no json\n\ndata: ["foreign"]\n\n'
    'id: 2026-11-30T10:00:01Z/2\ndata: {"ts": "2026-11-30T10:00:01Z", "source": "container", "line": "ready"}\n\n'
)


def test_a_workers_log_is_read_entry_by_entry_and_foreign_data_is_left_out() -> None:
    server = Server(httpx.Response(200, text=EVENTS, headers={"content-type": "text/event-stream"}))
    entries = list(server.client().worker_log_entries("e", "w/1", tail=5))
    assert [(one.ts, one.source, one.line) for one in entries] == [
        ("2026-11-30T10:00:00Z", "system", "starting"),
        ("2026-11-30T10:00:01Z", "container", "ready"),
    ]
    [request] = server.requests
    assert request.url.raw_path.endswith(b"/serverless/e/workers/w%2F1/logs?tail=5")


@pytest.mark.parametrize(
    ("answer", "kind"), [(problem(404), errors.NotFound), (httpx.ConnectError("down"), errors.Unreachable)]
)
def test_a_log_that_cannot_be_read_is_an_error_but_not_for_who_only_explains(
    answer: Answer, kind: type[errors.RunPodError]
) -> None:
    with pytest.raises(kind):
        list(Server(answer).client().worker_log_entries("e", "w"))
    assert Server(answer).client().worker_log("e", "w", lines=3) == ()


def test_a_log_that_stays_open_ends_with_what_came() -> None:
    def stream() -> Iterator[bytes]:
        yield EVENTS.encode()
        raise httpx.ReadTimeout("nothing more")

    server = Server(httpx.Response(200, content=stream()))
    assert len(list(server.client().worker_log_entries("e", "w"))) == 2


def test_health_comes_from_the_job_api() -> None:
    server = Server(httpx.Response(200, json={"jobs": {"inQueue": 1}, "workers": {}}))
    assert server.client().health("e")["jobs"] == {"inQueue": 1}
    [request] = server.requests
    assert request.url.path.endswith("/e/health")
    assert "/serverless" not in request.url.path
