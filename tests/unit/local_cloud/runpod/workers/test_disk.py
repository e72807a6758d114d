"""A worker's limited disk: full at its size, and unseen outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.runpod.workers import disk

SCRIPT = """
import errno
written = 0
try:
    with open("filler", "wb", buffering=0) as file:
        while True:
            written += file.write(bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], written >> 20)
"""


@pytest.mark.skipif(not disk.is_possible() and "CI" not in os.environ, reason="this machine allows no mount namespace")
def test_a_worker_that_fills_its_disk_gets_enospc(tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    inside = [sys.executable, "-c", f"import os; os.chdir({str(folder)!r})\n{SCRIPT}"]
    said = subprocess.run(disk.limited(inside, folder, 3), capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["ENOSPC", "3"]
    assert list(folder.iterdir()) == []


def test_a_machine_without_namespaces_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "is_possible", lambda: False)
    with pytest.raises(OSError, match="mount namespace"):
        disk.limited(["true"], tmp_path, 3)
