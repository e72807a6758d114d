"""Whatever a stack's file holds, the answer is settings or a line per key. `scripts/test fuzz` has 10,000 cases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import fuzz

ROOT = Path(__file__).parents[4]
CASES = os.environ.get("SPLAT_FUZZ_CASES", "500")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_configuration_ends_in_a_traceback() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "configuration", "--cases", CASES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_crash_a_failure_and_a_hang_are_found_with_their_number_and_the_rest_still_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fuzz_target.py").write_text(
        "import os, signal, time\n"
        "def make(rng): return b''\n"
        "def check(case, folder):\n"
        "    number = int((folder.parent / 'case').read_text())\n"
        "    if number == 2: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    if number == 4: raise ValueError('wrong')\n"
        "    if number == 6: time.sleep(600)\n"
        "    if number == 8: bytearray(b'x') * (1200 << 20)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(
        "import tests.fuzz.kinds as kinds\nkinds.KINDS['target'] = 'fuzz_target'\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    monkeypatch.setattr("tests.fuzz.__main__.CASE_LIMIT_S", 15.0)
    found = dict(fuzz("target", 1, 0, 10))
    assert sorted(found) == [2, 4, 6, 8]
    assert "exit code -11" in found[2]
    assert "ValueError: wrong" in found[4]
    assert "no end after 15 s" in found[6]
    assert "the process took" in found[8]
