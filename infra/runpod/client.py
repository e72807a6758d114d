"""HTTP client of RunPod: management API v2 (endpoints, registries, catalogue) and job API.
Knows nothing of Pulumi; never puts the key into a URL, log, repr or exception."""

from __future__ import annotations

import contextlib
import email.utils
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from infra.addresses import encrypted
from infra.runpod import errors

USER_AGENT = "photo-splat-infra/0.1 (+pulumi dynamic provider)"
PRODUCTION_URL = "https://api.runpod.io/v2"
PRODUCTION_JOB_URL = "https://api.runpod.ai/v2"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0  # creating an endpoint resolves its image, which takes seconds
LOG_WAIT_S = 3.0  # a worker's log is a stream that stays open; old lines come at once
LOG_LINE_MAX = 300  # characters
FINAL_JOB_STATES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})
JSON = dict[str, Any]

_SAFE_TO_REPEAT = frozenset({"GET", "PATCH", "DELETE"})
_NOTHING_SENT = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError),
    *(httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL),
)
_CLASSES: Mapping[int, type[errors.Refused]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    429: errors.Busy,
}


class Config(Protocol):
    """What a dynamic provider's `configure` gets: the stack's configuration by full key."""

    def get(self, key: str) -> str | None: ...


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long a repeatable call is repeated. Seconds."""

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    # A server may ask for minutes (day window); a deploy should say so instead of sleeping through it.
    longest_retry_after_s: float = 90.0


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """A line of a worker's log. source: container, or system for what the platform reports."""

    ts: str
    source: str
    line: str


class RunPodClient:
    """One account. Safe to share between threads.

    `transport`, `sleep` and `jitter` are the seams of the tests: a function instead of a network,
    a recorder instead of a clock, a constant in place of `random.random`.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_url: str = PRODUCTION_URL,
        job_url: str = PRODUCTION_JOB_URL,
        transport: httpx.BaseTransport | None = None,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        # Checked here, as the libraries below would quote a key that cannot be a header in their errors.
        if not re.fullmatch(r"[!-~]+", api_key, re.ASCII):
            raise errors.UnusableKey
        for url in (api_url, job_url):
            encrypted(url)
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._jitter = jitter
        self._http = httpx.Client(
            base_url=api_url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}", "User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            transport=transport,
            follow_redirects=False,  # a redirect would carry the key to another host
        )
        self.api_url = api_url
        self._job_url = job_url.rstrip("/")

    def __repr__(self) -> str:
        return f"RunPodClient({self.api_url})"

    def close(self) -> None:
        self._http.close()

    def create_endpoint(self, body: Mapping[str, Any]) -> JSON:
        """The new endpoint. Never repeated: OutcomeUnknown says that one may exist now."""
        return self._object("POST", "/serverless", json=body)

    def get_endpoint(self, endpoint_id: str) -> JSON:
        return self._object("GET", f"/serverless/{_segment(endpoint_id)}")

    def list_endpoints(self) -> tuple[JSON, ...]:
        return self._list("/serverless", "endpoints")

    def update_endpoint(self, endpoint_id: str, body: Mapping[str, Any]) -> JSON:
        return self._object("PATCH", f"/serverless/{_segment(endpoint_id)}", json=body)

    def delete_endpoint(self, endpoint_id: str) -> None:
        self._send("DELETE", f"/serverless/{_segment(endpoint_id)}")

    def list_workers(self, endpoint_id: str) -> JSON:
        return self._object("GET", f"/serverless/{_segment(endpoint_id)}/workers")

    def create_registry(self, *, name: str, username: str, password: str) -> JSON:
        return self._object("POST", "/registries", json={"name": name, "username": username, "password": password})

    def get_registry(self, registry_id: str) -> JSON:
        return self._object("GET", f"/registries/{_segment(registry_id)}")

    def list_registries(self) -> tuple[JSON, ...]:
        return self._list("/registries", "registries")

    def delete_registry(self, registry_id: str) -> None:
        self._send("DELETE", f"/registries/{_segment(registry_id)}")

    def list_gpus(self) -> tuple[JSON, ...]:
        """Every GPU with pool, price and serverless availability."""
        return self._list("/catalog/gpus?include=AVAILABILITY&product=SERVERLESS", "gpus")

    def endpoint_bills(self, endpoint_id: str, *, start: datetime, bucket: str = "day") -> tuple[JSON, ...]:
        """Amounts of one endpoint since `start` by hour, day or month. Buckets without cost are left out."""
        query = f"serverlessId={_segment(endpoint_id)}&bucketSize={bucket}&startTime={_segment(start.isoformat())}"
        return self._list(f"/billing/serverless?{query}", "records")

    def account_limits(self) -> JSON:
        """Spend and worker quota. Path from a docs page of 2026-11-18, not in the published document."""
        return self._object("GET", "/account/limits")

    def run_job(self, endpoint_id: str, job_input: Mapping[str, Any]) -> str:
        """Queue a job and return its id. Never repeated: OutcomeUnknown says that one may be queued now."""
        answer = self._object("POST", f"{self._job_url}/{_segment(endpoint_id)}/run", json={"input": dict(job_input)})
        return str(answer["id"])

    def job(self, endpoint_id: str, job_id: str) -> JSON:
        """The job as it is now: `status`, and `output` or `error` once it ended."""
        return self._object("GET", f"{self._job_url}/{_segment(endpoint_id)}/status/{_segment(job_id)}")

    def health(self, endpoint_id: str) -> JSON:
        """Jobs and workers of an endpoint, counted by state. From the job API."""
        return self._object("GET", f"{self._job_url}/{_segment(endpoint_id)}/health")

    def worker_log(self, endpoint_id: str, worker_id: str, *, lines: int) -> tuple[str, ...]:
        """The newest lines of a worker's log. Empty when it cannot be read: it only explains another failure."""
        found: list[str] = []
        with contextlib.suppress(errors.RunPodError):  # what came until then is all there is
            for entry in self.worker_log_entries(endpoint_id, worker_id, tail=lines):
                found.append(entry.line[:LOG_LINE_MAX])
        return tuple(found[-lines:])

    def worker_log_entries(
        self, endpoint_id: str, worker_id: str, *, wait_s: float = LOG_WAIT_S, **start: str | int
    ) -> Iterator[LogEntry]:
        """A worker's log, oldest entry first: what is stored, then what comes. The stream stays open, so this ends when
        `wait_s` pass without an entry, and `wait_s` after the stored entries at the latest.

        start: `tail` (entries) or `since` (RFC 3339). Raises a RunPodError when the log cannot be read.
        """
        path = f"/serverless/{_segment(endpoint_id)}/workers/{_segment(worker_id)}/logs"
        call = _call("GET", path)
        until = time.monotonic() + wait_s
        timeout = httpx.Timeout(wait_s, connect=CONNECT_TIMEOUT_S)
        try:
            with self._http.stream("GET", path, params=start, timeout=timeout) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _refusal(call, answer)
                for text in answer.iter_lines():
                    entry = _log_entry(text)
                    if entry is not None:
                        yield entry
                    if time.monotonic() > until:
                        return
        except httpx.ReadTimeout:
            return  # what came until now is all there is
        except httpx.HTTPError as problem:
            raise errors.Unreachable(
                f"the log stream ended ({type(problem).__name__})", call=call, advice="run the same command again."
            ) from None

    def _object(self, method: str, path: str, *, json: Mapping[str, Any] | None = None) -> JSON:
        response = self._send(method, path, json=json)
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise errors.UnexpectedAnswer(
                f"answered {response.status_code} with a body that is not a JSON object",
                call=_call(method, path),
                advice=f"check {self._key_of(path)}: another server seems to answer there.",
            )
        return body

    def _list(self, path: str, wrapper: str) -> tuple[JSON, ...]:
        """All items of a list, page by page. A list without `pagination` is complete."""
        found: list[JSON] = []
        cursors: set[str] = set()
        address = httpx.URL(path)
        while True:
            body = self._object("GET", str(address))
            items = body.get(wrapper)
            if not isinstance(items, list):
                raise errors.UnexpectedAnswer(f"the answer has no list `{wrapper}`", call=_call("GET", path))
            found += items
            cursor = _next_cursor(body)
            if cursor is None:
                return tuple(found)
            if cursor in cursors:
                raise errors.UnexpectedAnswer("the list never ends: a page names itself", call=_call("GET", path))
            cursors.add(cursor)
            address = address.copy_merge_params({"cursor": cursor})

    def _send(self, method: str, path: str, *, json: Mapping[str, Any] | None = None) -> httpx.Response:
        """One call with its repeats. Raises a RunPodError; returns only answers below 300."""
        for attempt in range(1, self._retry.attempts + 1):
            try:
                return self._once(method, path, json)
            except (errors.Busy, errors.ServerError, errors.OutcomeUnknown, errors.Unreachable) as problem:
                # Neither 429 nor a failed connection has any effect, so even a POST may be sent again.
                repeatable = method in _SAFE_TO_REPEAT or isinstance(problem, errors.Busy | errors.Unreachable)
                asked_s = getattr(problem, "retry_after_s", 0.0)
                last = attempt == self._retry.attempts
                if last or not repeatable or asked_s > self._retry.longest_retry_after_s:
                    raise
                self._sleep(max(asked_s, self._backoff_s(attempt)))
        raise AssertionError("the loop returns or raises")

    def _once(self, method: str, path: str, json: Mapping[str, Any] | None) -> httpx.Response:
        call = _call(method, path)
        try:
            response = self._http.request(method, path, json=json)
        except _NOTHING_SENT as problem:
            raise errors.Unreachable(
                f"cannot connect to {httpx.URL(path).host or self._http.base_url.host} ({type(problem).__name__})",
                call=call,
                advice=f"check the network and {self._key_of(path)}. On the local stack, is the local cloud running?",
            ) from None
        except httpx.RequestError as problem:
            raise errors.OutcomeUnknown(
                f"no answer ({type(problem).__name__}); it may have taken effect",
                call=call,
                advice="run again: the marker finds what was created, so nothing is created twice.",
            ) from None
        if response.is_success:
            return response
        raise _refusal(call, response)

    def _key_of(self, path: str) -> str:
        """The configuration key that a call's address comes from."""
        return "runpod:jobUrl" if path.startswith(self._job_url) else "runpod:apiUrl"

    def _backoff_s(self, attempt: int) -> float:
        """Full jitter: between nothing and a wait that doubles, so that many clients spread out."""
        ceiling = min(self._retry.longest_wait_s, self._retry.first_wait_s * 2 ** (attempt - 1))
        return float(ceiling * self._jitter())


def client_from_config(config: Config) -> RunPodClient:
    """The account of `runpod:apiKey` or RUNPOD_API_KEY, at `runpod:apiUrl` and `runpod:jobUrl`. Raises MissingKey."""
    key = config.get("runpod:apiKey") or os.environ.get("RUNPOD_API_KEY", "")
    if not key:
        raise errors.MissingKey
    return RunPodClient(
        api_key=key,
        api_url=config.get("runpod:apiUrl") or PRODUCTION_URL,
        job_url=config.get("runpod:jobUrl") or PRODUCTION_JOB_URL,
    )


def _next_cursor(body: JSON) -> str | None:
    """Where the next page of a list begins (schema `Pagination` of the published document), None on the last page."""
    pagination = body.get("pagination")
    if not isinstance(pagination, dict) or not pagination.get("hasNextPage"):
        return None
    cursor = pagination.get("nextCursor")
    return str(cursor) if cursor else None


def _log_entry(text: str) -> LogEntry | None:
    """The entry in a line of the event stream; None for the stream's other lines, and for foreign data."""
    if not text.startswith("data:"):
        return None
    try:
        data = json.loads(text[5:])
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    return LogEntry(ts=str(data.get("ts", "")), source=str(data.get("source", "")), line=str(data.get("line", "")))


def _call(method: str, path: str) -> str:
    return f"{method} {httpx.URL(path).path}"


def _segment(identifier: str) -> str:
    """An id as one path segment; an id with a slash cannot reach another object."""
    return quote(identifier, safe="")


def _refusal(call: str, response: httpx.Response) -> errors.Refused:
    """The typed error of an answer that is not 2xx, from problem+json or whatever came instead."""
    title, detail = response.reason_phrase, ""
    entries: tuple[str, ...] = ()
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        title = str(body.get("title") or title)
        detail = str(body.get("detail") or body.get("error") or body.get("message") or "")
        if isinstance(body.get("errors"), list):
            entries = tuple(str(entry)[: errors.TEXT_LIMIT] for entry in body["errors"])
    else:
        detail = " ".join(response.text.split())
    status = response.status_code
    default = errors.ServerError if status >= 500 else errors.Rejected
    problem = _CLASSES.get(status, default)(
        call=call,
        status=status,
        title=title,
        detail=detail[: errors.TEXT_LIMIT],
        errors=entries,
        request_id=response.headers.get("x-request-id", ""),
    )
    if isinstance(problem, errors.Busy | errors.ServerError):
        problem.retry_after_s = retry_after_s(response.headers, now=datetime.now(UTC))
    return problem


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float:
    """Seconds to wait that an answer asks for: Retry-After in seconds or as a date (RFC 9110, 10.2.3), else
    the reset of the exhausted RateLimit window (`"minute";r=0;t=12`). 0 when none is readable. Never
    negative; a number of absurd length counts as endless."""
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, one without a zone, one beyond the calendar
        pass
    waits = [0.0]
    for window in headers.get("ratelimit", "").split(","):
        fields = dict(part.strip().split("=", 1) for part in window.split(";") if "=" in part)
        left, reset = fields.get("r", ""), fields.get("t", "")
        if _SECONDS.fullmatch(left) and float(left) == 0 and _SECONDS.fullmatch(reset):
            waits.append(float(reset))
    return max(waits)


_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
