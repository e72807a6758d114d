"""What workers and RunPod send: results, progress, webhooks."""

from __future__ import annotations

from tests.chaos.faults.base import Both
from tests.chaos.faults.runpod import RunPodFault, TimePasses, Webhook
from tests.chaos.rows.row import FOREVER, POLLED_S, PROGRESS, QUICK_S, RESULT, START, Row, port, sent

HOOK = "POST /api/hooks/runpod/*"

ROWS = (
    Row(
        what="Answer to the result lost",
        fault=sent("lost_answer", RESULT),
        when="result",
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Result answered late",
        fault=sent("late_answer", RESULT, latency_s=3.0),
        when="result",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Connection reset while the result is sent",
        fault=sent("reset", RESULT, times=2),
        when="result",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Result refused with 500 for ever",
        fault=sent("status", RESULT, **FOREVER),
        when="result",
        state="done",
        within_s=120,
    ),
    Row(
        what="Result refused with 400 for ever",
        fault=sent("status", RESULT, status=400, **FOREVER),
        when="result",
        state="done",
        within_s=120,
    ),
    Row(
        what="Every progress message lost",
        fault=port("reset", PROGRESS, **FOREVER),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Progress answered 5 s late",
        fault=port("latency", PROGRESS, latency_s=5, times=5),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Webhook dropped",
        fault=RunPodFault("webhook_dropped"),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Webhook and progress lost",
        fault=Both((RunPodFault("webhook_dropped"), port("reset", PROGRESS, **FOREVER))),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Webhook sent twice",
        fault=RunPodFault("webhook_doubled"),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Webhook 5 s late",
        fault=port("latency", HOOK, latency_s=5),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Webhook refused once by the edge",
        fault=port("status", HOOK, status=500),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Answer to the webhook lost, so it comes again",
        fault=port("lost_answer", HOOK),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Webhook in the middle of the job",
        fault=Webhook(forged=False),
        when="train",
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Webhook with a forged address",
        fault=Webhook(forged=True),
        when="train",
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Result kept no longer by RunPod",
        fault=Both((RunPodFault("webhook_dropped"), TimePasses(3600, after="inProgress"))),
        when="result",
        state="done",
        within_s=POLLED_S,
    ),
)
