"""What RunPod's answers mean: rights of the key, account limits, drift, workers, availability of the chosen cards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.runpod import model
from scripts.splat_cli.doctor.finding import Action, Finding, Verdict, verdict

SPEND_NEAR = 0.9  # share of the account's spend limit
# An image of several GB is pulled and started within this; a worker that needs longer does not come.
START_LIMIT_S = 300
# A worker that is ready asks for a job at once; after this it is not the right moment that is missing.
IDLE_LIMIT_S = 60
SET_KEY = "splat pulumi config set --secret runpod:apiKey"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker as RunPod lists it. uptime_s: None before it has a machine. last_line: of its log, "" if unread."""

    id: str
    status: str
    uptime_s: float | None = None
    gpu: str = ""
    last_line: str = ""


def key_rights(name: str, *, refused: int | None, can_write: bool) -> Verdict:
    """refused: the status with which RunPod refused to list endpoints, None if it did not."""
    if refused is not None:
        invalid = refused == 401
        return verdict(
            name,
            "",
            [
                Finding(
                    id="runpod-key",
                    what="The RunPod key is invalid." if invalid else "The RunPod key may not read Serverless.",
                    evidence=f"GET /serverless: {refused}",
                    fix=f"create a key with read and write on Serverless, then {SET_KEY}",
                )
            ],
        )
    if not can_write:
        return verdict(
            name,
            "",
            [
                Finding(
                    id="runpod-key",
                    what="The RunPod key can read but not write.",
                    evidence="PATCH /serverless: 403",
                    fix=f"create a key with read and write on Serverless, then {SET_KEY}",
                )
            ],
        )
    return verdict(name, "read and write on Serverless")


def edge_key(name: str, *, is_local: bool, has_own: bool) -> Verdict:
    """The key with which the edge starts jobs. A stack without one of its own works, so its absence is no finding."""
    if has_own:
        return verdict(name, "a key of its own")
    if is_local:
        return verdict(name, "the key of the local cloud")
    wider = "the key of deployments, which can change the whole account"
    return verdict(name, f"{wider}; better a Restricted key: splat pulumi config set --secret runpod:jobKey")


def account_limits(name: str, limits: Mapping[str, Any]) -> Verdict:
    """limits: the answer of GET /account/limits. Its fields are documented in part, so each may be missing."""
    spend, workers = _pair(limits.get("spendRate")), _pair(limits.get("serverlessWorkers"))
    findings = []
    if spend is not None and spend[0] >= SPEND_NEAR * spend[1]:
        findings.append(
            Finding(
                id="spend-limit",
                what="The account is near its spend limit. RunPod refuses to start workers beyond it.",
                evidence=f"${spend[0]:.2f} of ${spend[1]:.2f} an hour",
                fix="raise the limit in the RunPod console (Billing), or lower workersMax of an endpoint",
            )
        )
    if workers is not None and workers[0] > workers[1]:
        findings.append(
            Finding(
                id="worker-quota",
                what="The endpoints of the account ask for more workers than its quota.",
                evidence=f"{workers[0]:.0f} workers of {workers[1]:.0f}",
                fix="lower photo-splat:workersMax, delete an endpoint that you do not need, or add balance",
            )
        )
    parts = []
    if spend is not None:
        parts.append(f"${spend[0]:.2f} of ${spend[1]:.2f} an hour")
    if workers is not None:
        parts.append(f"{workers[0]:.0f} of {workers[1]:.0f} workers reserved")
    return verdict(name, ", ".join(parts) or "RunPod publishes no limits for this account", findings)


def _pair(value: Any) -> tuple[float, float] | None:
    """Used and limit; None where either is missing."""
    if not isinstance(value, Mapping):
        return None
    used, limit = value.get("used"), value.get("limit")
    if isinstance(used, int | float) and isinstance(limit, int | float):
        return float(used), float(limit)
    return None


def endpoint(name: str, recorded: Mapping[str, Any], live: Mapping[str, Any] | None, *, redo: str) -> Verdict:
    """The endpoint against the stack's state. live: None when it does not exist. redo: the command that
    deploys again."""
    if live is None:
        missing = Finding(
            id="endpoint-missing",
            what="The endpoint does not exist.",
            evidence="RunPod answers 404",
            fix=f"{redo} creates it again",
            action=Action.REDEPLOY,
        )
        return verdict(name, "", [missing])
    known = model.canonical(recorded)
    changes = model.diff(known, model.align(known, model.canonical(live)))
    findings = [
        Finding(
            id="endpoint-drift",
            what=f"The endpoint's {change.path} differs from the stack.",
            evidence=sentence if change.path.partition(".")[0] != "env" else f"{change.path} was changed or removed",
            fix=redo,
            action=Action.REDEPLOY,
        )
        for change, sentence in zip(changes, model.explain_drift(changes), strict=True)
    ]
    workers = live.get("workers") or {}
    return verdict(name, f"{workers.get('min')} to {workers.get('max')} workers, as declared", findings)


def workers(name: str, found: Sequence[Worker], *, waiting: int, workers_max: int, redo: str) -> Verdict:
    """waiting: jobs in the queue. workers_max: of the live endpoint."""
    by_status = {one.status: [w for w in found if w.status == one.status] for one in found}
    throttled, unhealthy = by_status.get("THROTTLED", []), by_status.get("UNHEALTHY", [])
    idle, running = by_status.get("IDLE", []), by_status.get("RUNNING", [])
    late = [one for one in by_status.get("INITIALIZING", []) if (one.uptime_s or 0) > START_LIMIT_S]
    lazy = [one for one in idle if (one.uptime_s or 0) > IDLE_LIMIT_S]
    findings: list[Finding | None] = []
    if workers_max == 0:
        findings.append(
            Finding(
                id="no-workers-allowed",
                what="The endpoint may start no worker, so no job runs.",
                evidence=f"workers.max is 0, {_waiting(waiting)}",
                fix=f"{redo}; if the app stopped it after failed starts, fix the image first",
                action=Action.REDEPLOY,
            )
        )
    if throttled and (waiting or len(throttled) == len(found)):
        findings.append(
            Finding(
                id="workers-throttled",
                what="RunPod has no free machine for the workers.",
                evidence=f"{_named(throttled)} throttled, {_waiting(waiting)}",
                fix='add a card to photo-splat:gpu ("RTX 4090, L40S"), or leave photo-splat:dataCenters empty',
            )
        )
    if unhealthy:
        findings.append(
            Finding(
                id="container-failed-to-start",
                what="Workers fail to start or fail their health check.",
                evidence=f"{_named(unhealthy)} unhealthy{_said(unhealthy)}",
                fix=f"splat logs --worker {unhealthy[-1].id}; deploy the last image that worked: splat pulumi config "
                "set image REPOSITORY@sha256:DIGEST, then splat up",
            )
        )
    if late:
        findings.append(
            Finding(
                id="start-timeout",
                what=f"Workers need more than {START_LIMIT_S // 60} minutes to start.",
                evidence=f"{_named(late)} initializing for {max(one.uptime_s or 0 for one in late) / 60:.0f} min"
                f"{_said(late)}",
                fix=f"splat logs --worker {late[-1].id}; a smaller image starts sooner, and up to three cards in "
                "photo-splat:gpu find a machine sooner",
            )
        )
    if lazy and waiting and not running:
        findings.append(
            Finding(
                id="workers-idle-while-jobs-wait",
                what="Workers are ready, but take no job: the sign of a broken image.",
                evidence=f"{_named(lazy)} idle, {_waiting(waiting)}{_said(lazy)}",
                fix=f"splat logs --worker {lazy[-1].id}; deploy the last image that worked: splat pulumi config set "
                "image REPOSITORY@sha256:DIGEST, then splat up",
            )
        )
    counts = ", ".join(f"{len(some)} {status.lower()}" for status, some in sorted(by_status.items()))
    return verdict(name, f"{counts or 'no worker'}, {_waiting(waiting)}", findings)


def _waiting(jobs: int) -> str:
    return "1 job waits" if jobs == 1 else f"{jobs} jobs wait"


def _named(found: Sequence[Worker]) -> str:
    return f"{len(found)} workers" if len(found) > 1 else f"worker {found[0].id}"


def _said(found: Sequence[Worker]) -> str:
    last = next((one.last_line for one in reversed(found) if one.last_line), "")
    return f". Last log line: {last}" if last else ""


def availability(
    name: str,
    catalog: Iterable[Mapping[str, Any]],
    *,
    pools: Sequence[str],
    excluded: Sequence[str],
    centers: Sequence[str],
) -> Verdict:
    """Whether one of the endpoint's cards is free in one of its data centres; none named means all."""
    cards = [one for one in catalog if one.get("pool") in pools and one.get("id") not in excluded]
    levels = {str(card.get("name") or card.get("id")): _level(card, centers) for card in cards}
    shown = ", ".join(f"{card} {level.lower()}" for card, level in sorted(levels.items()))
    where = f" in {', '.join(centers)}" if centers else ""
    if levels and all(level == "NONE" for level in levels.values()):
        nothing = Finding(
            id="no-gpu-available",
            what=f"No chosen GPU is available{where}.",
            evidence=shown,
            fix="leave photo-splat:dataCenters empty"
            if centers
            else 'add a card to photo-splat:gpu: splat pulumi config set gpu "RTX 4090, L40S"',
        )
        return verdict(name, shown, [nothing])
    return verdict(name, f"{shown}{where}" if shown else "the catalogue does not list the chosen cards")


_LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")


def _level(card: Mapping[str, Any], centers: Sequence[str]) -> str:
    """The best availability of a card in the data centres. A card without figures counts as available."""
    places = card.get("dataCenters")
    if centers and isinstance(places, list):
        levels = [str(one.get("availability")) for one in places if one.get("id") in centers]
        known = [level for level in levels if level in _LEVELS]
        return max(known, key=_LEVELS.index) if known else "NONE"
    level = str(card.get("availability"))
    return level if level in _LEVELS else "HIGH"
