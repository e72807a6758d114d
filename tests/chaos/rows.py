"""The faults of the suite, one row each. Pure data: drill.py carries them out, table.py prints them."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from tests.chaos.faults import (
    Both,
    Cancelled,
    EdgeKilled,
    EndpointDeleted,
    Fault,
    Frozen,
    Limit,
    PhotoReplaced,
    PortFault,
    RunPodFault,
    TimePasses,
    Webhook,
    WorkerSignal,
    WorkersMax,
)

START = "start"
FOREVER = {"times": None}
RESULT = "POST /v2/*/job-done/*"
S3 = "/cdn-cgi/local/r2/s3/*"
# The edge asks RunPod every 15 s to 30 s about a job that runs.
POLLED_S = 75
QUICK_S = 45


@dataclass(frozen=True, kw_only=True)
class Row:
    """when: `start`, or the stage of the job at whose beginning the fault strikes (`result`: all files are uploaded).
    state: how the project ends. within_s: at the latest, after the fault. user, operator: patterns of what the person
    reads and of what the log says; "" for nothing. before: a second fault, from before the start. heals: whether the
    same project can start again when the faults are gone. nightly: too slow for every run of the tests."""

    what: str
    fault: Fault
    when: str
    state: str
    within_s: int
    user: str = ""
    operator: str = ""
    before: Fault | None = None
    heals: bool = True
    nightly: bool = False


def _sent(kind: str, route: str, **more: object) -> RunPodFault:
    return RunPodFault(kind, route, dict(more))


def _port(kind: str, route: str, **more: object) -> PortFault:
    return PortFault(kind, route, dict(more))


_KILL = signal.SIGKILL
_AGAIN = "[Ss]tart it again|[Tt]ry again"

ROWS = (
    # The worker
    Row(
        what="Worker killed in camera poses",
        fault=WorkerSignal(_KILL, "sfm"),
        when="sfm",
        state="done",
        within_s=60,
        nightly=True,
    ),
    Row(what="Worker killed in training", fault=WorkerSignal(_KILL, "train"), when="train", state="done", within_s=60),
    Row(
        what="Worker killed while it uploads",
        fault=WorkerSignal(_KILL, "upload"),
        when="upload",
        state="done",
        within_s=60,
        nightly=True,
    ),
    Row(
        what="Worker killed at its first photo",
        fault=WorkerSignal(_KILL, "download"),
        when="download",
        state="done",
        within_s=60,
        nightly=True,
    ),
    Row(
        what="Worker killed in both tries of RunPod",
        fault=WorkerSignal(_KILL, "train", times=2),
        when="train",
        state="failed",
        within_s=60,
        user=f"stopped.*{_AGAIN}",
    ),
    Row(
        what="Worker stands still (SIGSTOP)",
        fault=WorkerSignal(signal.SIGSTOP, "train"),
        when="train",
        state="done",
        within_s=90,
        nightly=True,
    ),
    # Its result and its progress
    Row(
        what="Answer to the result lost",
        fault=_sent("lost_answer", RESULT),
        when="result",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Result answered late",
        fault=_sent("late_answer", RESULT, latency_s=3.0),
        when="result",
        state="done",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Result refused with 500 for ever",
        fault=_sent("status", RESULT, **FOREVER),
        when="result",
        state="done",
        within_s=120,
        nightly=True,
    ),
    Row(
        what="Worker killed after it uploaded everything, in both tries",
        fault=WorkerSignal(_KILL, "result", times=2),
        when="result",
        state="done",
        within_s=60,
    ),
    Row(
        what="Every progress message lost",
        fault=_port("reset", "POST /api/hooks/progress/*", **FOREVER),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    # The webhook
    Row(
        what="Webhook dropped",
        fault=RunPodFault("webhook_dropped"),
        when=START,
        state="done",
        within_s=POLLED_S,
        nightly=True,
    ),
    Row(what="Webhook sent twice", fault=RunPodFault("webhook_doubled"), when=START, state="done", within_s=QUICK_S),
    Row(
        what="Webhook 5 s late",
        fault=_port("latency", "POST /api/hooks/runpod/*", latency_s=5),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Webhook refused once by the edge",
        fault=_port("status", "POST /api/hooks/runpod/*", status=500),
        when=START,
        state="done",
        within_s=POLLED_S,
        nightly=True,
    ),
    Row(
        what="Webhook in the middle of the job",
        fault=Webhook(forged=False),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(what="Webhook with a forged address", fault=Webhook(forged=True), when="train", state="done", within_s=QUICK_S),
    # RunPod's job API
    Row(
        what="Answer to /run lost",
        fault=_sent("lost_answer", "POST /v2/*/run"),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Answer to /run lost, the job cancelled while it trains",
        before=Both((_sent("lost_answer", "POST /v2/*/run"), RunPodFault("webhook_dropped"))),
        fault=Cancelled(),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="/status answers 500 until the job is over",
        fault=_sent("status", "GET /v2/*/status/*", **FOREVER),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="RunPod key revoked while the job runs",
        fault=_sent("status", "GET /v2/*/status/*", status=401, **FOREVER),
        when="train",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="RunPod key revoked before the start",
        fault=_sent("status", "POST /v2/*/run", status=401, **FOREVER),
        when=START,
        state="failed",
        within_s=QUICK_S,
        user=_AGAIN,
        operator="API key is not accepted",
    ),
    Row(
        what="Result kept no longer by RunPod",
        fault=Both((RunPodFault("webhook_dropped"), TimePasses(3600, after="inProgress"))),
        when="result",
        state="done",
        within_s=POLLED_S,
        nightly=True,
    ),
    Row(
        what="Job past its time to live in the queue",
        fault=Both((WorkersMax(for_good=True), TimePasses(9000, after="inProgress"))),
        when=START,
        state="failed",
        within_s=POLLED_S,
        user=_AGAIN,
        nightly=True,
    ),
    Row(
        what="Endpoint lowered to no worker, then raised",
        fault=WorkersMax(),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Endpoint deleted while the job runs",
        fault=EndpointDeleted(),
        when="train",
        state="failed",
        within_s=POLLED_S,
        user=_AGAIN,
        nightly=True,
    ),
    # The bucket
    Row(
        what="Bucket answers 503 to downloads, twice",
        fault=_port("status", f"GET {S3}", times=2),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Bucket answers 503 to uploads, twice",
        fault=_port("status", f"PUT {S3}", times=2),
        when="upload",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Bucket cuts a download in half",
        fault=_port("truncated", f"GET {S3}"),
        when="download",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Answer to an upload lost",
        fault=_port("lost_answer", f"PUT {S3}", times=2),
        when="upload",
        state="done",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Bucket 5 s slow for every file",
        fault=_port("latency", f"* {S3}", latency_s=5, times=8),
        when="download",
        state="done",
        within_s=60,
        nightly=True,
    ),
    Row(
        what="Bucket refuses every upload",
        fault=_port("status", f"PUT {S3}", status=403, **FOREVER),
        when="upload",
        state="failed",
        within_s=QUICK_S,
        user="[Uu]pload",
    ),
    Row(
        what="Photo replaced by another file between upload and start",
        fault=PhotoReplaced(b"%PDF-1.7 "),
        when=START,
        state="ready",
        within_s=QUICK_S,
        user="not JPEG.*Delete them from the project",
        heals=False,
    ),
    # The edge, money, people, the machine
    Row(what="Edge killed while the job trains", fault=EdgeKilled(), when="train", state="done", within_s=POLLED_S),
    Row(
        what="Edge killed when the result is ready",
        fault=EdgeKilled(),
        when="result",
        state="done",
        within_s=POLLED_S,
        nightly=True,
    ),
    Row(
        what="Monthly budget used up",
        fault=Limit("budget_usd_per_month", 0.000001),
        when=START,
        state="ready",
        within_s=QUICK_S,
        user="monthly budget",
        nightly=True,
    ),
    Row(
        what="Monthly budget used up while the job runs",
        fault=Limit("budget_usd_per_month", 0.000001),
        when="train",
        state="done",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Cancelled while it trains",
        fault=Cancelled(),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Cancelled while /cancel answers 500 twice",
        fault=Cancelled((_sent("status", "POST /v2/*/cancel/*", times=2),)),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(
        what="Cancelled while the worker stands still",
        fault=Cancelled((WorkerSignal(signal.SIGSTOP, "train"),)),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
        nightly=True,
    ),
    Row(what="Machine frozen for 30 s", fault=Frozen(30), when="train", state="done", within_s=90, nightly=True),
)
