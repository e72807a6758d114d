"""A process with a wrong wall clock: only that process, and only that clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_cloud import clock_skew

pytestmark = pytest.mark.skipif(
    not clock_skew.is_possible() and "CI" not in os.environ, reason="needs Linux and a C compiler"
)
HOUR = 3600
SCRIPT = """
import threading, time
start = time.monotonic()
threading.Event().wait(0.01)
print(time.time(), time.monotonic() - start)
"""


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_the_wall_clock_moves_and_waits_stay_as_long(tmp_path: Path, seconds: int) -> None:
    environment = {**os.environ, **clock_skew.environment(seconds, tmp_path)}
    said = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    wall, waited = map(float, said.stdout.split())
    assert abs(wall - time.time() - seconds) < HOUR / 2
    assert waited < HOUR / 2


def test_no_skew_preloads_nothing(tmp_path: Path) -> None:
    assert clock_skew.environment(0, tmp_path) == {}
