"""The edge: killed at every state of a project and in its calls, its clock, its keys; money; the machine."""

from __future__ import annotations

import signal

from tests.chaos.faults.edge import EdgeKilled, EdgeKilledIn, Limit
from tests.chaos.faults.people import (
    Cancelled,
    StartedInTwoTabs,
)
from tests.chaos.faults.worker import Frozen, WorkerSignal
from tests.chaos.rows.row import POLLED_S, QUICK_S, START, STATUS, Row

ROWS = (
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
    Row(what="Machine frozen for 30 s", fault=Frozen(30), when="train", state="done", within_s=90),
)
