"""Findings and verdicts: what is wrong, the evidence, the fix, and where the runbook explains it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

RUNBOOK = "docs/runbook.md"


class Action(StrEnum):
    """What `splat doctor --fix` can do itself."""

    REDEPLOY = "redeploy"  # pulumi up --refresh: what is declared is true again


@dataclass(frozen=True, kw_only=True)
class Finding:
    """id: a heading of the runbook. fix: a command, or a key with its new value."""

    id: str
    what: str
    evidence: str
    fix: str
    action: Action | None = None

    @property
    def runbook(self) -> str:
        return f"{RUNBOOK}#{self.id}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one check. detail: the evidence that it is healthy. skipped: why it could not be checked."""

    check: str
    detail: str = ""
    findings: tuple[Finding, ...] = ()
    skipped: str = ""

    @property
    def healthy(self) -> bool:
        return not self.findings and not self.skipped


def verdict(check: str, detail: str, findings: Iterable[Finding | None] = ()) -> Verdict:
    """A verdict from findings, of which any may be None."""
    return Verdict(check=check, detail=detail, findings=tuple(one for one in findings if one is not None))
