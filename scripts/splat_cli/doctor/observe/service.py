"""Checks of the app and its jobs: reads through the edge API, and hands what it read to judge/service.py."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

import httpx

from scripts.splat_cli.doctor.finding import Verdict
from scripts.splat_cli.doctor.judge import service as judge
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.doctor.runner import Check
from scripts.splat_cli.errors import ServiceError

APP = "app"
SECRETS = "secrets in sync"
TIMEOUT_S = 10.0
JOBS_READ = 20
UNKNOWN = "UNKNOWN"  # a failure whose project, and with it the reason, was deleted


def checks(seen: Observed) -> list[Check]:
    return [
        Check(name=APP, run=lambda: app(seen)),
        Check(name="webhook address", run=lambda: webhook(seen), needs=APP),
        Check(name="clock", run=lambda: clock(seen), needs=APP),
        Check(name=SECRETS, run=lambda: secrets(seen), needs=APP),
        Check(name="service", run=lambda: accepting(seen), needs=SECRETS),
        Check(name="budget", run=lambda: budget(seen), needs=SECRETS),
        Check(name="recent jobs", run=lambda: jobs(seen), needs=SECRETS),
    ]


def _get(seen: Observed, path: str) -> httpx.Response:
    return httpx.get(f"{seen.access.app_url}{path}", timeout=TIMEOUT_S, trust_env=not seen.is_local)


def _health(seen: Observed) -> httpx.Response:
    return seen.once("app health", lambda: _get(seen, "/api/health"))


def app(seen: Observed) -> Verdict:
    try:
        answer = _health(seen)
    except httpx.HTTPError:
        return judge.app(APP, status=None, body={}, stack=seen.access.stack, redo=seen.redo)
    return judge.app(APP, status=answer.status_code, body=_json(answer), stack=seen.access.stack, redo=seen.redo)


def webhook(seen: Observed) -> Verdict:
    found = seen.script_bindings()
    deployed = found[1].get("WORKER_URL") if found is not None else None
    address = (deployed or seen.access.app_url).rstrip("/")
    try:
        answer = httpx.post(
            f"{address}/api/hooks/runpod/doctor", json={}, timeout=TIMEOUT_S, trust_env=not seen.is_local
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        answer = None
    return judge.webhook(
        "webhook address",
        declared=seen.access.settings.edge.public_url(_script_name(seen)),
        deployed=deployed,
        status=answer.status_code if answer is not None else None,
        ours=answer is not None and isinstance(_json(answer).get("error"), dict),
        local=seen.is_local,
        redo=seen.redo,
    )


def _script_name(seen: Observed) -> str:
    return str(seen.recorded(":WorkersScript").outputs["scriptName"])


def clock(seen: Observed) -> Verdict:
    skews = {}
    runpod = seen.access.settings.runpod_api_url.rpartition("/v2")[0] or seen.access.settings.runpod_api_url
    for who, url in (("the app", f"{seen.access.app_url}/api/health"), ("RunPod", runpod)):
        began_s = time.time()
        try:
            answer = httpx.get(url, timeout=TIMEOUT_S, trust_env=not seen.is_local)
        except httpx.HTTPError:
            continue  # that it does not answer is another check's finding
        stated = email.utils.parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else None
        if stated is not None:
            skews[who] = (began_s + time.time()) / 2 - stated.timestamp()
    if not skews:
        return Verdict(check="clock", skipped="no service states its time")
    return judge.clock("clock", skews)


def secrets(seen: Observed) -> Verdict:
    token = seen.access.outputs["operatorToken"]
    answer = httpx.get(
        f"{seen.access.app_url}/api/session",
        headers={"Authorization": f"Bearer {token}"},
        timeout=TIMEOUT_S,
        trust_env=not seen.is_local,
    )
    accepted = answer.is_success and "operate" in (_json(answer).get("scopes") or ())
    reaches = accepted and seen.metrics().runpod is not None
    return judge.secrets(SECRETS, token_accepted=accepted, edge_reaches_runpod=reaches, redo=seen.redo)


def accepting(seen: Observed) -> Verdict:
    metrics = seen.metrics()
    return judge.accepting("service", metrics.stopped, failed_starts=metrics.failed_starts)


def budget(seen: Observed) -> Verdict:
    metrics, limits = seen.metrics(), seen.access.settings.limits
    return judge.budget("budget", metrics.spend, jobs_today=metrics.jobs_today, jobs_per_day=limits.jobs_per_day)


def jobs(seen: Observed) -> Verdict:
    ended = [one for one in islice(seen.edge.jobs(), JOBS_READ) if one.state in ("done", "failed")]
    newest = next((one.project_id for one in ended if one.state == "done"), None)
    image = str(seen.recorded("runpod:Endpoint").outputs.get("image", ""))
    return judge.jobs(
        "recent jobs",
        [
            judge.EndedJob(
                project=one.project_id,
                name=one.name or "a deleted scene",
                code=one.error.code if one.error else UNKNOWN if one.state == "failed" else "",
                message=one.error.message if one.error else "",
            )
            for one in ended
        ],
        newest=_report(seen, newest) if newest else None,
        expects_gpu=not image.startswith("checkout.local/"),
    )


def _report(seen: Observed, project: str) -> Mapping[str, Any] | None:
    """The report of a scene; None when it was deleted meanwhile."""
    try:
        return seen.edge.project(project).report
    except ServiceError:
        return None


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
