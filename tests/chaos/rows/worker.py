"""The worker: killed, stopped, out of memory and out of disk in every stage; its clock; what it answers."""

from __future__ import annotations

import signal

from tests.chaos.faults.worker import InChild, WorkerClock, WorkerSignal
from tests.chaos.rows.row import AGAIN, POLLED_S, QUICK_S, START, Row

PLACES = {
    "download": "at its first photo",
    "photos": "while it checks photos",
    "sfm": "in camera poses",
    "train": "in training",
    "export": "while it writes the scene",
    "upload": "while it uploads",
}
HOUR_S = 3600


def _killed(stage: str, place: str) -> Row:
    return Row(
        what=f"Worker killed {place}",
        fault=WorkerSignal(signal.SIGKILL, stage),
        when=stage,
        state="done",
        within_s=60,
        nightly=stage != "train",
    )


def _stopped(stage: str, place: str) -> Row:
    fault = WorkerSignal(signal.SIGSTOP, stage)
    return Row(what=f"Worker stands still {place}", fault=fault, when=stage, state="done", within_s=90)


def _full(act: str, what: str, user: str, *, daily: str) -> tuple[Row, ...]:
    return tuple(
        Row(
            what=f"{what} {place}",
            fault=InChild(act, stage),
            when=stage,
            state="failed",
            within_s=QUICK_S,
            user=user,
            nightly=stage != daily,
        )
        for stage, place in PLACES.items()
    )


ROWS = (
    *(_killed(stage, place) for stage, place in PLACES.items()),
    Row(
        what="Worker killed in both tries of RunPod",
        fault=WorkerSignal(signal.SIGKILL, "train", times=2),
        when="train",
        state="failed",
        within_s=60,
        user=f"stopped.*({AGAIN})",
        nightly=False,
    ),
    Row(
        what="Worker killed after it uploaded everything, in both tries",
        fault=WorkerSignal(signal.SIGKILL, "result", times=2),
        when="result",
        state="done",
        within_s=60,
        nightly=False,
    ),
    *(_stopped(stage, place) for stage, place in PLACES.items()),
    _stopped("result", "after it uploaded everything"),
    *_full("memory", "Memory used up", "out of memory.*smaller preset", daily="export"),
    *_full("killed", "Killed for its memory", "out of memory.*(smaller preset|fewer photos)", daily="sfm"),
    *_full("disk", "Disk full", "disk is full.*fewer photos", daily="photos"),
    *(
        Row(
            what=f"CUDA out of memory {PLACES[stage]}",
            fault=InChild("cuda", stage),
            when=stage,
            state="failed",
            within_s=QUICK_S,
            user="out of memory.*smaller preset",
        )
        for stage in ("sfm", "train", "export")
    ),
    *(
        Row(
            what=f"Worker's clock an hour {side}",
            fault=WorkerClock(seconds),
            when=START,
            state="done",
            within_s=POLLED_S,
        )
        for side, seconds in (("ahead", HOUR_S), ("behind", -HOUR_S))
    ),
    Row(
        what="Answer holds what JSON cannot",
        fault=InChild("object", "answer"),
        when="train",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="Answer holds NaN",
        fault=InChild("nan", "answer"),
        when="train",
        state="done",
        within_s=QUICK_S,
    ),
    Row(what="Answer is a list", fault=InChild("list", "answer"), when="train", state="done", within_s=QUICK_S),
)
