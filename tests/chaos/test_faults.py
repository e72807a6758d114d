"""Every row of the suite on real processes. SPLAT_CHAOS=all runs the slow rows as well (`scripts/test chaos`)."""

from __future__ import annotations

import os

import pytest

from tests.chaos import table
from tests.chaos.cloud import Cloud
from tests.chaos.drill import drill
from tests.chaos.rows.all import ROWS
from tests.chaos.rows.row import Row

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(900)]
ALL = os.environ.get("SPLAT_CHAOS") == "all"


@pytest.mark.parametrize("row", [row for row in ROWS if ALL or not row.nightly], ids=lambda row: row.what)
def test_the_fault_ends_as_promised(cloud: Cloud, recovered: dict[str, float], row: Row) -> None:
    if not row.is_possible and "CI" not in os.environ:
        pytest.skip("NOT TESTED on this machine: it allows no mount namespace or has no C compiler")
    seconds = drill(cloud, row)
    assert table.regression(table.of_page(table.PAGE.read_text()), row, seconds) == ""
    recovered[row.what] = seconds
