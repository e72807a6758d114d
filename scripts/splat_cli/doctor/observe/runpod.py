"""Checks of RunPod: reads through its API, and hands what it read to judge/runpod.py."""

from __future__ import annotations

from infra.runpod import errors
from infra.runpod.client import RunPodClient
from infra.settings.load import JOB_KEY
from scripts.splat_cli.doctor import known_failures
from scripts.splat_cli.doctor.finding import Finding, Verdict, verdict
from scripts.splat_cli.doctor.judge import runpod as judge
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.doctor.runner import Check
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.show import counted

KEY = "RunPod key"
EDGE_KEY = "RunPod key of the edge"
# No endpoint has this id, so a change of it changes nothing; the answer shows whether the key may write.
NO_ENDPOINT = "splat-doctor-none"
LOG_LINES = 500
LOG_WAIT_S = 1.5  # stored lines come at once
WORKERS_READ_MAX = 10


def checks(seen: Observed) -> list[Check]:
    return [
        Check(name=KEY, run=lambda: key_rights(seen)),
        Check(name=EDGE_KEY, run=lambda: edge_key(seen)),
        Check(name="RunPod account", run=lambda: account_limits(seen), needs=KEY),
        Check(name="endpoint settings", run=lambda: endpoint(seen), needs=KEY),
        Check(name="GPU availability", run=lambda: availability(seen), needs=KEY),
        Check(name="workers", run=lambda: workers(seen), needs=KEY),
        Check(name="worker logs", run=lambda: worker_logs(seen), needs=KEY),
    ]


def key_rights(seen: Observed) -> Verdict:
    try:
        seen.runpod.list_endpoints()
    except (errors.Unauthorized, errors.Forbidden) as refused:
        return judge.key_rights(KEY, refused=refused.status, can_write=False)
    except (errors.UnusableKey, CommandError) as problem:
        fix = problem.hint if isinstance(problem, CommandError) else problem.advice
        finding = Finding(id="runpod-key", what="There is no usable RunPod key.", evidence=str(problem), fix=fix)
        return verdict(KEY, "", [finding])
    return judge.key_rights(KEY, refused=None, can_write=_can_write(seen.runpod))


def edge_key(seen: Observed) -> Verdict:
    has_own = bool(seen.access.secret(JOB_KEY.key))
    return judge.edge_key(EDGE_KEY, is_local=seen.is_local, has_own=has_own)


def _can_write(client: RunPodClient) -> bool:
    try:
        client.update_endpoint(NO_ENDPOINT, {"name": NO_ENDPOINT})
    except errors.Forbidden:
        return False
    except (errors.NotFound, errors.Rejected):
        pass  # the key was accepted, the endpoint was not found
    return True


def account_limits(seen: Observed) -> Verdict:
    try:
        limits = seen.runpod.account_limits()
    except (errors.NotFound, errors.Forbidden):
        limits = {}  # a path of a docs page, with a scope of its own (account:read)
    return judge.account_limits("RunPod account", limits)


def endpoint(seen: Observed) -> Verdict:
    recorded = seen.recorded("runpod:Endpoint").outputs
    return judge.endpoint("endpoint settings", recorded, seen.live_endpoint(), redo=seen.redo)


def availability(seen: Observed) -> Verdict:
    gpu = seen.recorded("runpod:Endpoint").outputs.get("gpu") or {}
    return judge.availability(
        "GPU availability",
        seen.runpod.list_gpus(),
        pools=gpu.get("pools") or (),
        excluded=gpu.get("excludedTypes") or (),
        centers=seen.access.settings.gpu.data_centers,
    )


def workers(seen: Observed) -> Verdict:
    live = seen.live_endpoint()
    if live is None:
        return Verdict(check="workers", skipped="not checked, see `endpoint settings`")
    listed = seen.workers().get("workers") or ()
    found = [
        judge.Worker(
            id=str(one["id"]),
            status=str(one["status"]),
            uptime_s=one.get("uptimeSeconds"),
            gpu=str(one.get("gpuTypeId") or ""),
            last_line=_last_line(seen, str(one["id"])) if one["status"] != "RUNNING" else "",
        )
        for one in listed
    ]
    return judge.workers(
        "workers",
        found,
        waiting=int((seen.health().get("jobs") or {}).get("inQueue", 0)),
        workers_max=int((live.get("workers") or {}).get("max", 0)),
        redo=seen.redo,
    )


def worker_logs(seen: Observed) -> Verdict:
    ids = _worker_ids(seen)
    findings: dict[str, Finding] = {}
    for worker in ids:
        for finding in known_failures.scan(_log(seen, worker), source=f"worker {worker}"):
            findings.setdefault(finding.id, finding)
    lines = sum(len(_log(seen, worker)) for worker in ids)
    detail = (
        f"no known failure in {counted(lines, 'line')} of {counted(len(ids), 'worker')}"
        if ids
        else "no worker is running"
    )
    return verdict("worker logs", detail, findings.values())


def _worker_ids(seen: Observed) -> list[str]:
    """Unhealthy workers first: their logs explain most."""
    listed = sorted(seen.workers().get("workers") or (), key=lambda one: one["status"] != "UNHEALTHY")
    return [str(one["id"]) for one in listed[:WORKERS_READ_MAX]]


def _log(seen: Observed, worker: str) -> tuple[str, ...]:
    """The newest lines of a worker's log; none when it has ended meanwhile."""

    def read() -> tuple[str, ...]:
        try:
            entries = seen.runpod.worker_log_entries(seen.access.endpoint_id, worker, wait_s=LOG_WAIT_S, tail=LOG_LINES)
            return tuple(entry.line for entry in entries)
        except errors.NotFound:
            return ()

    return seen.once(f"log {worker}", read)


def _last_line(seen: Observed, worker: str) -> str:
    """The line that tells most: the last that shows a known failure, else the last."""
    lines = [line for line in _log(seen, worker) if line.strip()]
    telling = [line for line in lines if known_failures.known_failure(line)] or lines
    return telling[-1].strip()[: known_failures.LINE_MAX] if telling else ""
