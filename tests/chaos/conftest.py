"""One cloud for all rows. `scripts/test chaos` writes what it found into the table of docs/reliability.md."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos import table
from tests.chaos.cloud import Cloud, running
from tests.chaos.pace import PACE
from tests.chaos.rows.all import ROWS

# Of a processor, that the suite gets on a machine which is quiet enough for the table.
QUIET_SHARE = 0.5


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("chaos") / "cloud") as started:
        yield started


@pytest.fixture(scope="session")
def recovered() -> Iterator[dict[str, float]]:
    """Seconds to recover by row, of the rows that passed."""
    seconds: dict[str, float] = {}
    yield seconds
    if os.environ.get("SPLAT_CHAOS") == "all":
        # The suite's time says little about waits for an alarm: where the machine is busy, only new rows are written.
        table.write(ROWS, seconds, only_new=PACE.mean_share() < QUIET_SHARE)
