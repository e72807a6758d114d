"""The edge: killed at every state of a project and in its calls, its clock, its keys; money; the machine."""

from __future__ import annotations

import signal

from tests.chaos.faults.base import Both, Later
from tests.chaos.faults.edge import EdgeClock, EdgeKilled, EdgeKilledIn, HookKeysRotated, Limit, TwoDeployments
from tests.chaos.faults.people import (
    Cancelled,
    CancelledInTwoTabs,
    PhotoDeletedWhileItRuns,
    StartedInTwoTabs,
)
from tests.chaos.faults.runpod import WorkersMax
from tests.chaos.faults.worker import Frozen, InChild, WorkerSignal
from tests.chaos.rows.row import CANCEL, POLLED_S, QUICK_S, RUN, START, STATUS, UPLOADS, Row

ROWS = (
    Row(
        what="Edge killed while photos are uploaded",
        fault=EdgeKilled(),
        when=UPLOADS,
        state="done",
        within_s=QUICK_S,
    ),
    Row(what="Edge killed before the start", fault=EdgeKilled(), when=START, state="done", within_s=QUICK_S),
    Row(
        what="Edge killed while it starts the job",
        fault=EdgeKilledIn(RUN, effect=True),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Edge killed while the job is queued",
        fault=Both((WorkersMax(for_good=True), Later("queued", EdgeKilled()), WorkersMax())),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Edge killed while the job trains",
        fault=EdgeKilled(),
        when="train",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="Edge killed when the result is ready",
        fault=EdgeKilled(),
        when="result",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Edge killed while it handles the webhook",
        fault=EdgeKilledIn(STATUS),
        when="result",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="Edge killed while it cancels the job",
        fault=Both((EdgeKilledIn(CANCEL), Cancelled())),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="Edge killed after the scene is done",
        fault=Later("done", EdgeKilled()),
        when="result",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Edge killed after the job has failed",
        fault=Both((InChild("memory", "train"), Later("failed", EdgeKilled()))),
        when="train",
        state="failed",
        within_s=QUICK_S,
        user="out of memory",
    ),
    Row(
        what="Edge killed after the job was cancelled",
        fault=Both((Cancelled(), Later("cancelled", EdgeKilled()))),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="Edge's clock ten minutes ahead before the start",
        fault=EdgeClock(600),
        when=START,
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Edge's clock jumps ten minutes while the job trains",
        fault=EdgeClock(600),
        when="train",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Key of the hooks rotated while the job runs",
        fault=HookKeysRotated(),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Key of the hooks rotated twice while the job runs",
        fault=HookKeysRotated(times=2),
        when="train",
        state="done",
        within_s=POLLED_S,
    ),
    # Money and people
    Row(
        what="Monthly budget used up",
        fault=Limit("budget_usd_per_month", 0.000001),
        when=START,
        state="ready",
        within_s=QUICK_S,
        user="monthly budget",
    ),
    Row(
        what="Monthly budget used up while the job runs",
        fault=Limit("budget_usd_per_month", 0.000001),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(what="Cancelled while it trains", fault=Cancelled(), when="train", state="cancelled", within_s=QUICK_S),
    Row(
        what="Cancelled while the worker stands still",
        fault=Cancelled((WorkerSignal(signal.SIGSTOP, "train"),)),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="Started in two tabs at once",
        fault=StartedInTwoTabs(),
        when=START,
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Cancelled in two tabs at once",
        fault=CancelledInTwoTabs(),
        when="train",
        state="cancelled",
        within_s=QUICK_S,
    ),
    Row(
        what="Photo deleted in another tab while the job runs",
        fault=PhotoDeletedWhileItRuns(),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Two operators deploy at once while the job runs",
        fault=TwoDeployments(),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(what="Machine frozen for 2 minutes", fault=Frozen(120), when="train", state="done", within_s=90),
)
