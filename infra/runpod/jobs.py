"""What runs on an endpoint, over HTTP: start a job, look at it, read a worker's last lines.
Makes no endpoint (that is `client`); the key travels in the header only."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import httpx
from pulumi.dynamic import ConfigureRequest

from infra.runpod import client, errors

PRODUCTION_URL = "https://api.runpod.ai/v2"
FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT"})
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
LOG_WAIT_S = 3.0  # the log of a worker is a stream that stays open; what is old comes at once
LINE_LIMIT = 300  # characters


class JobApi:
    """Jobs at `job_url` and workers' logs at `api_url`, of the account of `api_key`."""

    def __init__(
        self, *, api_key: str, job_url: str, api_url: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._job_url, self._api_url = job_url.rstrip("/"), api_url.rstrip("/")
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            transport=transport,
            follow_redirects=False,  # a redirect would carry the key to another host
        )

    def __repr__(self) -> str:
        return f"JobApi({self._job_url})"

    def close(self) -> None:
        self._http.close()

    def run(self, endpoint_id: str, job_input: Mapping[str, Any]) -> str:
        """Queue a job; its id. Raises RunPodError."""
        answer = self._call("POST", f"{self._job_url}/{endpoint_id}/run", {"input": dict(job_input)})
        return str(answer["id"])

    def status(self, endpoint_id: str, job_id: str) -> dict[str, Any]:
        """The job as it is now: `status`, and `output` or `error` once it ended. Raises RunPodError."""
        return self._call("GET", f"{self._job_url}/{endpoint_id}/status/{job_id}")

    def last_lines(self, endpoint_id: str, worker_id: str, *, count: int) -> tuple[str, ...]:
        """The newest lines of a worker's log; none when it cannot be read: it only explains another failure."""
        lines: list[str] = []
        url = f"{self._api_url}/serverless/{endpoint_id}/workers/{worker_id}/logs"
        until = time.monotonic() + LOG_WAIT_S
        try:
            with self._http.stream("GET", url, params={"tail": 200}, timeout=LOG_WAIT_S) as answer:
                for line in answer.iter_lines() if answer.is_success else ():
                    if line.startswith("data:"):
                        lines.append(str(json.loads(line[5:]).get("line", ""))[:LINE_LIMIT])
                    if time.monotonic() > until:
                        break
        except (httpx.HTTPError, ValueError, AttributeError):
            pass  # the stream stays open: what came until the timeout is what there is
        return tuple(lines[-count:])

    def _call(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        call = f"{method} {httpx.URL(url).path}"
        try:
            answer = self._http.request(method, url, json=body)
        except httpx.HTTPError as problem:
            raise errors.Unreachable(
                f"no answer from {httpx.URL(url).host} ({type(problem).__name__})",
                call=call,
                advice="check the network and runpod:jobUrl; on the local stack, is the local cloud running?",
            ) from None
        if not answer.is_success:
            kind = errors.NotFound if answer.status_code == 404 else errors.Rejected
            raise kind(
                call=call,
                status=answer.status_code,
                title=answer.reason_phrase,
                detail=" ".join(answer.text.split())[: errors.TEXT_LIMIT],
            )
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise errors.Misunderstood("the answer is no JSON object", call=call, advice="check runpod:jobUrl")
        return found


def job_api_from_config(req: ConfigureRequest) -> JobApi:
    """The account's jobs: the key as for `account.client_from_config`, addresses of `runpod:jobUrl` and `apiUrl`."""
    return JobApi(
        api_key=req.config.get("runpod:apiKey") or os.environ.get("RUNPOD_API_KEY", ""),
        job_url=req.config.get("runpod:jobUrl") or PRODUCTION_URL,
        api_url=req.config.get("runpod:apiUrl") or client.PRODUCTION_URL,
    )
