"""What the app's answers and recent jobs mean: health, webhook, clock, secrets, budget, failures, slow stages."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scripts.splat_cli.doctor.finding import Action, Finding, Verdict, verdict
from scripts.splat_cli.edge_client import Spend, Stopped

# Signed progress is refused after 5 minutes, S3 signatures after 15; a minute is no accident any more.
SKEW_LIMIT_S = 60.0
BUDGET_NEAR = 0.1  # share of the month's budget that is left
# Seconds a photo with the preset preview: ten times what was measured (README.md, bench/gpu/README.md: 0.4 s for poses
# and, with standard, 0.4 s for training on a GPU; 0.8 and 2.3 s on 2 CPU cores).
SLOW_S_PER_PHOTO: Mapping[str, Mapping[str, float]] = {
    "cuda": {"sfm": 4.0, "train": 1.0},
    "cpu": {"sfm": 10.0, "train": 30.0},
}
# How much longer a preset trains than preview.
PRESET_FACTOR: Mapping[str, float] = {"preview": 1.0, "standard": 4.0, "high": 12.0}


@dataclass(frozen=True, kw_only=True)
class EndedJob:
    """A job that ended, newest first in any list. code and message: of its failure, "" for a success."""

    project: str
    name: str
    code: str = ""
    message: str = ""


def app(name: str, *, status: int | None, body: Mapping[str, Any], stack: str, redo: str) -> Verdict:
    """The answer of /api/health. status: None without an answer."""
    if status == 200 and body.get("status") == "ok" and body.get("stack") == stack:
        return verdict(name, f"version {str(body.get('version'))[:12]}")
    other = body.get("stack")
    what = "The address answers for another stack." if other not in (None, stack) else "The app is not healthy."
    evidence = f"/api/health: {status or 'no answer'}" + (f", stack {other}" if other not in (None, stack) else "")
    unhealthy = Finding(id="app-unhealthy", what=what, evidence=evidence, fix=redo, action=Action.REDEPLOY)
    return verdict(name, "", [unhealthy])


def webhook(
    name: str, *, declared: str, deployed: str | None, status: int | None, ours: bool, local: bool, redo: str
) -> Verdict:
    """declared: the stack's appUrl. deployed: WORKER_URL of the script. status: of a call to a webhook with an invalid
    capability, None without an answer. ours: the answer has our error envelope."""
    findings: list[Finding | None] = []
    address = (deployed or declared).rstrip("/")
    if deployed is not None and deployed.rstrip("/") != declared.rstrip("/"):
        findings.append(
            _webhook_finding(
                f"the script uses {deployed}, the stack declares {declared}", fix=redo, action=Action.REDEPLOY
            )
        )
    if not local and not _public(address):
        findings.append(
            _webhook_finding(f"{address} is not a public address", fix="set photo-splat:domain or workersSubdomain")
        )
    if status is None:
        findings.append(
            _webhook_finding(f"{address}/api/hooks/runpod does not answer", fix=f"{redo}, and check its DNS")
        )
    elif status != 403 or not ours:
        why = "something in front of the app answers" if not ours else "the app does not refuse it"
        findings.append(
            _webhook_finding(
                f"a call without a capability got {status}, expected 403: {why}",
                fix="let /api/hooks/* pass without a login or a bot check (Cloudflare Access, WAF)",
            )
        )
    return verdict(name, f"{address} answers", findings)


def _webhook_finding(evidence: str, *, fix: str, action: Action | None = None) -> Finding:
    return Finding(
        id="webhook-not-received",
        what="RunPod and workers cannot reach the app's webhooks. Jobs end later, by polling.",
        evidence=evidence,
        fix=fix,
        action=action,
    )


def _public(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".internal", ".localhost"))


def clock(name: str, skews_s: Mapping[str, float]) -> Verdict:
    """skews_s: this machine's clock minus that of each service."""
    off = {who: skew for who, skew in skews_s.items() if abs(skew) > SKEW_LIMIT_S}
    findings = [
        Finding(
            id="clock-skew",
            what="The clock of this machine is wrong. Signed requests fail beyond 15 minutes.",
            evidence=f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {who}",
            fix="turn on time synchronisation: sudo timedatectl set-ntp true",
        )
        for who, skew in sorted(off.items())
    ]
    worst = max((abs(skew) for skew in skews_s.values()), default=0.0)
    return verdict(name, f"within {max(1, round(worst))} s of {', '.join(sorted(skews_s))}", findings)


def secrets(name: str, *, token_accepted: bool, edge_reaches_runpod: bool, redo: str) -> Verdict:
    """token_accepted: the app knows the stack's operator token. edge_reaches_runpod: its RunPod key and id work."""
    findings = []
    if not token_accepted:
        findings.append(
            Finding(
                id="secrets-out-of-sync",
                what="The app does not accept the operator token of the stack.",
                evidence="GET /api/session: 401",
                fix=redo,
                action=Action.REDEPLOY,
            )
        )
    elif not edge_reaches_runpod:
        findings.append(
            Finding(
                id="secrets-out-of-sync",
                what="The app cannot read the endpoint at RunPod.",
                evidence="/api/metrics has no figures from RunPod",
                fix=f"set a valid runpod:apiKey, then {redo}: the app has its own copy",
                action=Action.REDEPLOY,
            )
        )
    return verdict(name, "operator token and the app's RunPod key work", findings)


def budget(name: str, spend: Spend, *, jobs_today: int, jobs_per_day: int) -> Verdict:
    """spend: of the app. jobs_per_day: of the stack."""
    findings = []
    if spend.left_usd <= BUDGET_NEAR * spend.budget_usd:
        used_up = spend.left_usd <= 0
        findings.append(
            Finding(
                id="budget-nearly-used",
                what="The budget of this month is used up." if used_up else "The budget of this month is nearly used.",
                evidence=f"${spend.left_usd:.2f} of ${spend.budget_usd:.2f} left",
                fix=f"splat pulumi config set budgetUsdPerMonth {max(1, round(spend.budget_usd * 2))}, then splat up",
            )
        )
    if jobs_today >= jobs_per_day:
        findings.append(
            Finding(
                id="daily-jobs-used",
                what="No more jobs can start today.",
                evidence=f"{jobs_today} of {jobs_per_day} jobs since 00:00 UTC",
                fix=f"splat pulumi config set jobsPerDay {jobs_per_day * 2}, then splat up",
            )
        )
    detail = f"${spend.left_usd:.2f} of ${spend.budget_usd:.2f} left, {jobs_today} of {jobs_per_day} jobs today"
    return verdict(name, detail, findings)


def accepting(name: str, stopped: Stopped | None, *, failed_starts: int) -> Verdict:
    """Whether the service takes jobs. failed_starts: workers in a row that did not start."""
    if stopped is None:
        return verdict(name, f"accepts jobs, {failed_starts} failed starts in a row")
    finding = Finding(
        id="service-stopped",
        what="The service is stopped and accepts no job.",
        evidence=f"since {stopped.at:%Y-%m-%d %H:%M} UTC: {stopped.reason}",
        fix="fix the reason (see the checks of workers and image), then splat resume",
    )
    return verdict(name, "", [finding])


# Failure code of a job → runbook heading, what, fix. Codes that blame the photos are not the operator's.
JOB_FAILURES: Mapping[str, tuple[str, str, str]] = {
    "OUT_OF_MEMORY": (
        "cuda-out-of-memory",
        "A job ran out of memory.",
        'set photo-splat:gpu to a card with more memory (splat pulumi config set gpu "L40S"), or use a smaller preset',
    ),
    "OUT_OF_DISK": ("worker-disk-full", "A job filled the worker's disk.", "raise photo-splat:diskGb, then splat up"),
    "TIME_LIMIT": (
        "job-timeout",
        "A job reached its time limit.",
        "raise photo-splat:jobSecondsMax and executionTimeoutS, then splat up, or use a smaller preset",
    ),
    "DOWNLOAD_FAILED": (
        "bucket-round-trip",
        "A worker could not read the photos.",
        "see the check `presigned PUT and GET`; then start the job again",
    ),
    "UPLOAD_FAILED": (
        "bucket-round-trip",
        "A worker could not store the scene.",
        "see the check `presigned PUT and GET`; then start the job again",
    ),
    "INTERNAL": (
        "job-failed",
        "A job failed in the worker.",
        "splat logs --job ID shows the worker's log; deploy the last image that worked if it persists",
    ),
    "UPSTREAM": (
        "job-failed",
        "RunPod refused or lost a job.",
        "see the checks of RunPod above; then start the job again",
    ),
}


def jobs(
    name: str, ended: Sequence[EndedJob], *, newest: Mapping[str, Any] | None = None, expects_gpu: bool
) -> Verdict:
    """Failures since the last success, and stages of the newest scene that took far too long. newest: its report."""
    findings: list[Finding] = []
    seen: set[str] = set()
    for job in ended:
        if not job.code:
            break
        if job.code in JOB_FAILURES and job.code not in seen:
            seen.add(job.code)
            id_, what, fix = JOB_FAILURES[job.code]
            evidence = f"{job.name} ({job.project}): {job.message}"
            findings.append(Finding(id=id_, what=what, evidence=evidence, fix=fix.replace("ID", job.project)))
    if newest is not None:
        findings += slow_stages(newest, expects_gpu=expects_gpu)
    done = sum(1 for job in ended if not job.code)
    return verdict(name, f"{done} of the last {len(ended)} succeeded" if ended else "no job has ended yet", findings)


def slow_stages(report: Mapping[str, Any], *, expects_gpu: bool) -> list[Finding]:
    """Poses and training of one scene against ten times the measured seconds."""
    kind = str((report.get("device") or {}).get("kind", ""))
    photos = max(1, int((report.get("photos") or {}).get("given", 1)))
    seconds = {str(one["stage"]): float(one["seconds"]) for one in report.get("stages") or ()}
    where = f"scene {report.get('project_id')}"
    if expects_gpu and kind == "cpu":
        return [
            Finding(
                id="slow-training",
                what="The worker computed without a GPU.",
                evidence=f"{where} ran on {(report.get('device') or {}).get('name')}",
                fix="use an image that was built without `--target cpu`; splat doctor compares it with photo-splat:gpu",
            )
        ]
    limits = SLOW_S_PER_PHOTO.get(kind, SLOW_S_PER_PHOTO["cuda"])
    findings = []
    if seconds.get("sfm", 0.0) > limits["sfm"] * photos:
        findings.append(
            Finding(
                id="slow-colmap",
                what="Finding the camera poses took far longer than usual.",
                evidence=f"{where}: {seconds['sfm']:.0f} s for {photos} photos, usual is "
                f"{limits['sfm'] * photos / 10:.0f} s",
                fix="set photo-splat:gpu to a faster card; photos that overlap in a clear order match faster "
                "(docs/photos.md)",
            )
        )
    allowed = limits["train"] * photos * PRESET_FACTOR.get(str(report.get("preset")), 1.0)
    if seconds.get("train", 0.0) > allowed:
        findings.append(
            Finding(
                id="slow-training",
                what="Training took far longer than usual.",
                evidence=f"{where}: {seconds['train']:.0f} s for {photos} photos, usual is {allowed / 10:.0f} s",
                fix="set photo-splat:gpu to a faster card, or use a smaller preset",
            )
        )
    return findings
