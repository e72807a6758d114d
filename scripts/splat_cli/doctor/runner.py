"""Runs all checks side by side, each with a time limit, and yields their verdicts in order.
A check that fails to read becomes a finding; nothing that it raises ends the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from infra.cloudflare.api import CloudflareApiError
from infra.image.registry import RegistryError
from infra.runpod.errors import RunPodError
from scripts.splat_cli.doctor.finding import Finding, Verdict
from scripts.splat_cli.errors import CommandError

LIMIT_S = 15.0
NEXT = "check the network, then run splat doctor again"


@dataclass(frozen=True, kw_only=True)
class Check:
    """name: shown to people. needs: the check whose finding explains why this one cannot read. limit_s: from the start
    of all checks."""

    name: str
    run: Callable[[], Verdict]
    needs: str = ""
    limit_s: float = LIMIT_S


class _Run:
    """One check in a thread of its own. A daemon: a call that never returns must not keep the command alive."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.verdict: Verdict | None = None
        self.problem: Exception | None = None
        self.thread = threading.Thread(target=self._run, name=check.name, daemon=True)

    def _run(self) -> None:
        try:
            self.verdict = self.check.run()
        except Exception as problem:
            self.problem = problem


def run_checks(checks: Sequence[Check]) -> Iterator[Verdict]:
    """Verdicts in the order of `checks`, as soon as each is known."""
    runs = [_Run(check) for check in checks]
    began_s = time.monotonic()
    for run in runs:
        run.thread.start()
    unhealthy: set[str] = set()
    for run in runs:
        run.thread.join(max(0.0, began_s + run.check.limit_s - time.monotonic()))
        verdict = run.verdict or _without_answer(run, unhealthy)
        if not verdict.healthy:
            unhealthy.add(verdict.check)
        yield verdict


def _without_answer(run: _Run, unhealthy: set[str]) -> Verdict:
    name = run.check.name
    if run.check.needs in unhealthy:
        return Verdict(check=name, skipped=f"not checked, see `{run.check.needs}`")
    if run.problem is None:
        finding = Finding(
            id="no-answer",
            what="A service did not answer.",
            evidence=f"no answer within {run.check.limit_s:.0f} s",
            fix=NEXT,
        )
    else:
        finding = explain(run.problem)
    return Verdict(check=name, findings=(finding,))


def explain(problem: Exception) -> Finding:
    """The finding of a check that could not read. Foreign exceptions lose their text: it may hold an address."""
    what = "The check could not read what it needs."
    if isinstance(problem, RunPodError):
        return Finding(
            id="no-answer", what=what, evidence=f"{problem.call}: {problem.what}", fix=problem.advice or NEXT
        )
    if isinstance(problem, CommandError):
        return Finding(id="no-answer", what=what, evidence=problem.message, fix=problem.hint)
    if isinstance(problem, CloudflareApiError | RegistryError):
        return Finding(id="no-answer", what=what, evidence=str(problem), fix=NEXT)
    if isinstance(problem, httpx.HTTPError):
        return Finding(id="no-answer", what=what, evidence=f"no answer ({type(problem).__name__})", fix=NEXT)
    return Finding(
        id="no-answer",
        what="The check failed.",
        evidence=f"an unexpected error ({type(problem).__name__})",
        fix="run splat doctor again; if it persists, report it with the command's output",
    )
