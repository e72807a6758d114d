"""Verdicts as text and as JSON: one line a healthy check, three a finding. Pure, but for the styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from scripts.splat_cli.doctor.finding import Verdict

NAME_WIDTH = 22


def lines(verdict: Verdict) -> Iterable[Text]:
    """The lines of one verdict."""
    if verdict.findings:
        for finding in verdict.findings:
            yield _line("✗", "red", verdict.check, finding.what)
            yield Text(f"    {'evidence':<9} {finding.evidence}")
            yield Text(f"    {'fix':<9} {finding.fix}", style="bold")
            yield Text(f"    {'runbook':<9} {finding.runbook}", style="dim")
    elif verdict.skipped:
        yield _line("-", "yellow", verdict.check, verdict.skipped)
    else:
        yield _line("✓", "green", verdict.check, verdict.detail)


def _line(mark: str, style: str, check: str, words: str) -> Text:
    line = Text(f"{mark} ", style=style)
    line.append(f"{check:<{NAME_WIDTH}}")
    line.append(f" {words}", style="" if mark == "✗" else "default")
    return line


def summary(verdicts: Sequence[Verdict]) -> str:
    findings = sum(len(one.findings) for one in verdicts)
    skipped = sum(1 for one in verdicts if one.skipped)
    healthy = sum(1 for one in verdicts if one.healthy)
    left_out = f", {skipped} not checked" if skipped else ""
    if not findings:
        return f"Healthy: {healthy} checks{left_out}."
    return f"{findings} finding{'s' if findings > 1 else ''}, {healthy} checks healthy{left_out}."


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "healthy": not any(one.findings for one in verdicts),
        "checks": [
            {
                "check": one.check,
                "state": "finding" if one.findings else "skipped" if one.skipped else "healthy",
                "detail": one.skipped or one.detail,
                "findings": [
                    {
                        "id": finding.id,
                        "what": finding.what,
                        "evidence": finding.evidence,
                        "fix": finding.fix,
                        "runbook": finding.runbook,
                    }
                    for finding in one.findings
                ],
            }
            for one in verdicts
        ],
    }
