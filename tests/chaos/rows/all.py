"""Every row of the suite, in the order of the table."""

from __future__ import annotations

from tests.chaos.rows import bucket, edge, messages, runpod, worker

ROWS = (*worker.ROWS, *messages.ROWS, *runpod.ROWS, *bucket.ROWS, *edge.ROWS)
