"""Every finding that the doctor can make has an entry in the runbook, and the runbook has no other."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.splat_cli.doctor.finding import RUNBOOK
from scripts.splat_cli.doctor.judge.service import JOB_FAILURES

ROOT = Path(__file__).parents[5]


def test_every_finding_has_an_entry_and_every_entry_a_finding() -> None:
    sources = sorted((ROOT / "scripts/splat_cli/doctor").rglob("*.py"))
    named = {id_ for file in sources for id_ in re.findall(r'\bid="([a-z-]+)"', file.read_text())}
    named |= {id_ for file in sources for id_ in re.findall(r'^        \("([a-z-]+)", lambda', file.read_text(), re.M)}
    named |= {id_ for id_, _, _ in JOB_FAILURES.values()} | {"webhook-not-received"}
    entries = re.findall(r"^### (.+)$", (ROOT / RUNBOOK).read_text(), re.M)
    assert len(entries) >= 30
    assert {re.sub(r"[^a-z0-9 -]", "", entry.lower()).replace(" ", "-") for entry in entries} == named


def test_every_finding_that_the_app_itself_makes_has_an_entry() -> None:
    source = (ROOT / "edge_worker/src/account/checks.ts").read_text()
    named = set(re.findall(r'finding\("([^"]+)"', source))
    assert len(named) >= 8
    assert named <= set(re.findall(r"^### (.+)$", (ROOT / RUNBOOK).read_text(), re.M))
