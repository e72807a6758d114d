"""The page of known provider faults names a test for each, and the tests are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_every_known_fault_has_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "cloudflare-provider.md").read_text()
    avoided = page.partition("\n## ")[0]
    rows = [line for line in avoided.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`(test_\w+)`", row.rpartition("|")[0].rpartition("|")[2]) for row in rows]
    assert len(rows) >= 15
    assert all(named)
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    missing = [test for tests in named for test in tests if f"def {test}(" not in sources]
    assert missing == []
