"""Examines a stack: opens it, runs every check side by side, from the ground up; or scans a saved log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.splat_cli.doctor import known_failures
from scripts.splat_cli.doctor.finding import Verdict, verdict
from scripts.splat_cli.doctor.observe import cloudflare, image, runpod, service
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.doctor.runner import Check, run_checks
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack_access import StackAccess

LOG_BYTES_MAX = 200_000_000


def all_checks(seen: Observed) -> list[Check]:
    """Every check, in the order in which one thing needs the other."""
    return [*runpod.checks(seen), *image.checks(seen), *service.checks(seen), *cloudflare.checks(seen)]


def examine(access: StackAccess) -> Iterator[Verdict]:
    """Verdicts in order, as soon as each is known."""
    seen = Observed(access)
    try:
        yield from run_checks(all_checks(seen))
    finally:
        seen.close()


def examine_log(file: Path) -> Verdict:
    """Scan a saved log of an image build or of a worker. Raises CommandError when it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as log:
            text = log.read(LOG_BYTES_MAX)
    except OSError as problem:
        raise CommandError(f"{file} cannot be read: {problem.strerror}.", hint="give the path of a log file") from None
    rows = text.splitlines()
    return verdict("log file", f"no known failure in {len(rows)} lines", known_failures.scan(rows, source=file.name))
