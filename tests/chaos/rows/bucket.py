"""The bucket: errors, slowness, lost and cut answers, expired addresses, replaced photos."""

from __future__ import annotations

import signal

from tests.chaos.faults.base import Both, Later
from tests.chaos.faults.people import JobAddressesExpired, PhotoReplaced, UploadExpired
from tests.chaos.faults.runpod import WorkersMax
from tests.chaos.faults.worker import WorkerSignal
from tests.chaos.rows.row import AGAIN, CANCEL, FOREVER, POLLED_S, PROGRESS, QUICK_S, S3, START, Row, port, sent

# The edge's own way to its bucket.
BINDING = "BINDING /BUCKET"
# Addresses of a job live until its deadline: its time limit, an hour in the queue and 3 minutes.
DEADLINE_S = 3600 + 3600 + 180

ROWS = (
    Row(
        what="Bucket answers 503 to downloads, twice",
        fault=port("status", f"GET {S3}", times=2),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Bucket answers 500 to every download",
        fault=port("status", f"GET {S3}", status=500, **FOREVER),
        when="download",
        state="failed",
        within_s=QUICK_S,
        user=f"download.*({AGAIN})",
    ),
    Row(
        what="Bucket answers 503 to uploads, twice",
        fault=port("status", f"PUT {S3}", times=2),
        when="upload",
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Bucket cuts a download in half",
        fault=port("truncated", f"GET {S3}"),
        when="download",
        state="done",
        within_s=QUICK_S,
        nightly=False,
    ),
    Row(
        what="Answer to an upload lost",
        fault=port("lost_answer", f"PUT {S3}", times=2),
        when="upload",
        state="done",
        within_s=QUICK_S,
    ),
    Row(
        what="Bucket 5 s slow for every file",
        fault=port("latency", f"* {S3}", latency_s=5, times=8),
        when="download",
        state="done",
        within_s=60,
    ),
    Row(
        what="Bucket refuses every upload",
        fault=port("status", f"PUT {S3}", status=403, **FOREVER),
        when="upload",
        state="failed",
        within_s=QUICK_S,
        user="[Uu]pload",
        nightly=False,
    ),
    Row(
        what="Bucket refuses every checkpoint",
        fault=port("status", f"PUT {S3}checkpoint*", **FOREVER),
        when=START,
        state="done",
        within_s=60,
    ),
    Row(
        what="Bucket answers 503 three times for the checkpoint of a lost worker",
        fault=Both((port("status", f"GET {S3}checkpoint*", times=3), WorkerSignal(signal.SIGKILL, "train"))),
        when="train",
        state="done",
        within_s=60,
    ),
    Row(
        what="Edge cannot read its bucket at the start",
        fault=port("status", f"{BINDING}/*", **FOREVER),
        when=START,
        state="uploading",
        within_s=QUICK_S,
        user=AGAIN,
        nightly=False,
    ),
    Row(
        what="Edge cannot read its bucket when the result comes",
        fault=port("status", f"{BINDING}/list/*", times=2),
        when="result",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="Edge cannot read the report that a lost worker left",
        fault=Both((port("status", f"{BINDING}/get/*", times=2), WorkerSignal(signal.SIGKILL, "result", times=2))),
        when="result",
        state="done",
        within_s=POLLED_S,
    ),
    Row(
        what="Edge's bucket 3 s slow",
        fault=port("latency", f"{BINDING}/*", latency_s=3, times=6),
        when=START,
        state="done",
        within_s=60,
    ),
    Row(
        what="Photo replaced by another file between upload and start",
        fault=PhotoReplaced(b"%PDF-1.7 "),
        when=START,
        state="ready",
        within_s=QUICK_S,
        user="not JPEG.*Delete them from the project",
        nightly=False,
    ),
    *(
        Row(
            what=f"Photo replaced by {what} while the job is queued",
            fault=Both((WorkersMax(for_good=True), Later("queued", replaced), WorkersMax())),
            when=START,
            state="failed",
            within_s=QUICK_S,
            user=f"{user}.*Delete .* from the project, upload it again",
        )
        for what, replaced, user in (
            ("another", PhotoReplaced(b"\xff\xd8\xff\xe0"), "not the announced photo"),
            ("a shorter one", PhotoReplaced(b"\xff\xd8\xff\xe0", length=100), "has 100 bytes"),
            ("a longer one", PhotoReplaced(b"\xff\xd8\xff\xe0", length=100_000), "larger than"),
            ("a compressed one", PhotoReplaced(b"\x0b", more=(("ContentEncoding", "gzip"),)), "compressed"),
        )
    ),
    Row(
        what="Addresses of a job expired while it trains, and nobody can stop it",
        fault=Both(
            (
                sent("status", CANCEL, **FOREVER),
                JobAddressesExpired(DEADLINE_S + 60),
                port("reset", PROGRESS, **FOREVER),
            )
        ),
        when="train",
        state="failed",
        within_s=POLLED_S,
        user=f"deadline.*({AGAIN})",
    ),
    Row(
        what="Address of an upload expired in the browser",
        fault=UploadExpired(2 * 3600),
        when=START,
        state="done",
        within_s=QUICK_S,
    ),
)
