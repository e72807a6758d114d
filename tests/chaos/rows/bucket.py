"""The bucket: errors, slowness, lost and cut answers, expired addresses, replaced photos."""

from __future__ import annotations

from tests.chaos.faults.people import PhotoReplaced
from tests.chaos.rows.row import FOREVER, POLLED_S, QUICK_S, S3, START, Row, port

# The edge's own way to its bucket.
BINDING = "BINDING /BUCKET"
# Beyond an attempt's deadline, at which the addresses of its worker expire.
DEADLINE_S = 2 * 3600 + 300

ROWS = (
    Row(
        what="Bucket answers 503 to downloads, twice",
        fault=port("status", f"GET {S3}", times=2),
        when=START,
        state="done",
        within_s=QUICK_S,
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
        what="Edge cannot read its bucket when the result comes",
        fault=port("status", f"{BINDING}/list/*", times=2),
        when="result",
        state="done",
        within_s=POLLED_S,
        nightly=False,
    ),
    Row(
        what="Photo replaced by another file between upload and start",
        fault=PhotoReplaced(b"%PDF-1.7 "),
        when=START,
        state="ready",
        within_s=QUICK_S,
        user="not JPEG.*Delete them from the project",
        heals=False,
        nightly=False,
    ),
)
