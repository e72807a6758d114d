"""Damaged photos, job inputs and checkpoints end in a reason, never in a crash, a hang or a traceback.
A selection; `scripts/test fuzz` has 10,000 cases of each kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
CASES = os.environ.get("SPLAT_FUZZ_CASES", "500")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["job-input", "checkpoints", "photos"])
def test_no_damage_crashes_the_worker(kind: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", kind, "--cases", CASES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
