"""RunPod: its job API, its key, its endpoint, its clock."""

from __future__ import annotations

from tests.chaos.faults.base import Both, Later
from tests.chaos.faults.edge import EdgeClock
from tests.chaos.faults.people import Cancelled
from tests.chaos.faults.runpod import (
    EndpointDeleted,
    KeyRevoked,
    Release,
    RunPodFault,
    TimePasses,
    WorkersMax,
)
from tests.chaos.faults.worker import WorkerClock
from tests.chaos.rows.row import AGAIN, CANCEL, FOREVER, POLLED_S, QUICK_S, RUN, START, STATUS, Row, sent

BUSY = r"RunPod is busy\. The next try is in 5 s\."
UNKNOWN = r"may or may not run.*reports by \d\d:\d\d UTC"
# The edge waits so long for a sign of a job whose start is unknown.
ADOPT_S = 15 * 60

ROWS = (
    Row(
        what="/run answers 429 once",
        fault=sent("status", RUN, status=429),
        when=START,
        state="done",
        within_s=QUICK_S,
        notice=BUSY,
        nightly=False,
    ),
    Row(
        what="/run answers 503 twice",
        fault=sent("status", RUN, status=503, times=2),
        when=START,
        state="done",
        within_s=QUICK_S,
        notice=BUSY,
    ),
    Row(
        what="/run answers 429, then its answer is lost",
        fault=Both((sent("status", RUN, status=429), sent("lost_answer", RUN))),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Cancelled while /run answers 429",
        fault=Both((sent("status", RUN, status=429, **FOREVER), Later("queued", Cancelled()))),
        when=START,
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="/run answers 500 and nothing was taken",
        fault=Both((sent("status", RUN, status=500), Later("queued", EdgeClock(ADOPT_S + 60)))),
        when=START,
        state="failed",
        within_s=QUICK_S,
        user=f"did not confirm.*({AGAIN})",
        notice=UNKNOWN,
    ),
    Row(
        what="/run answers 500 although it took the job",
        fault=sent("failed_answer", RUN, status=500),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Connection reset at /run",
        fault=Both((sent("reset", RUN), Later("queued", EdgeClock(ADOPT_S + 60)))),
        when=START,
        state="failed",
        within_s=QUICK_S,
        user=f"did not confirm.*({AGAIN})",
        notice=UNKNOWN,
    ),
    Row(
        what="Answer to /run lost",
        fault=sent("lost_answer", RUN),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Answer to /run lost, the job cancelled while it trains",
        before=Both((sent("lost_answer", RUN), RunPodFault("webhook_dropped"))),
        fault=Cancelled(),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="Answer to /run lost, the worker's clock wrong, the job cancelled",
        before=Both((WorkerClock(3600), sent("lost_answer", RUN), RunPodFault("webhook_dropped"))),
        fault=Cancelled(),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="/status answers 500 until the job is over",
        fault=sent("status", STATUS, **FOREVER),
        when=START,
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="/status answers 500 for five minutes",
        fault=Both((sent("status", STATUS, **FOREVER), EdgeClock(300))),
        when="train",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="/status answers 404 although the job is done",
        fault=sent("status", STATUS, status=404, **FOREVER),
        when="result",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="RunPod key revoked while the job runs",
        fault=KeyRevoked(),
        when="train",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="RunPod key revoked, then cancelled while it trains",
        fault=Both((KeyRevoked(), Cancelled())),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="RunPod key revoked before the start",
        fault=KeyRevoked(),
        when=START,
        state="failed",
        within_s=QUICK_S,
        user=AGAIN,
        operator="API key is not accepted",
        nightly=False,
    ),
    Row(
        what="Job past its time to live in the queue",
        fault=Both((WorkersMax(for_good=True), TimePasses(9000, after="inProgress"))),
        when=START,
        state="failed",
        within_s=POLLED_S,
        user=AGAIN,
    ),
    Row(
        what="RunPod's clock ten minutes ahead",
        fault=TimePasses(600),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Endpoint lowered to no worker, then raised",
        fault=WorkersMax(),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Endpoint lowered to no worker while the job runs",
        fault=WorkersMax(for_good=True),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Endpoint deleted while the job runs",
        fault=EndpointDeleted(),
        when="train",
        state="failed",
        within_s=POLLED_S,
        user=AGAIN,
    ),
    Row(what="Release while the job runs", fault=Release(), when="train", state="done", within_s=QUICK_S),
    Row(
        what="Cancelled while /cancel answers 500 twice",
        fault=Cancelled((sent("status", CANCEL, times=2),)),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
)
