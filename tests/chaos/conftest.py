"""One cloud for all rows. `scripts/test chaos` writes what it found into the table of docs/reliability.md."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chaos import table
from tests.chaos.cloud import Cloud, running
from tests.chaos.rows.all import ROWS


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
        table.write(ROWS, seconds)
