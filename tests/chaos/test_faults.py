"""Every row of the suite on real processes. SPLAT_CHAOS=all runs the slow rows as well (`scripts/test chaos`)."""

from __future__ import annotations

import os

import pytest

from tests.chaos.cloud import Cloud
from tests.chaos.drill import drill
from tests.chaos.rows import ROWS, Row

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]
ALL = os.environ.get("SPLAT_CHAOS") == "all"


@pytest.mark.parametrize("row", [row for row in ROWS if ALL or not row.nightly], ids=lambda row: row.what)
def test_the_fault_ends_as_promised(cloud: Cloud, recovered: dict[str, float], row: Row) -> None:
    recovered[row.what] = drill(cloud, row)
