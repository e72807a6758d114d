"""The dated file of one run, and its comparison with what the stand-ins give today."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from scripts.splat_cli.verify_live.check import NOT_OBSERVED, SAME, Check, Result
from scripts.splat_cli.verify_live.masking import masked

FORMAT = 1
FOLDER = Path("tests/contract/recorded")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """What a platform did on a day: check to observation. `reasons` are of the checks that were not made."""

    day: date
    platform: str
    observed: Mapping[str, Any]
    reasons: Mapping[str, str]


def text_of(results: Sequence[Result], *, day: date, platform: str, secrets: Iterable[str]) -> str:
    """The file's text. Only what checks observe is in it, and that masked."""
    known = list(secrets)
    rows = []
    for one in sorted(results, key=lambda found: found.check):
        row: dict[str, Any] = {"check": one.check, "how": one.how, "verdict": one.verdict}
        if one.verdict == NOT_OBSERVED:
            row["reason"] = masked(one.reason, known)
        else:
            row["stand_in"] = one.stand_in
            # What agrees is compared as it is: a mask in it would read as a difference.
            row["platform"] = one.platform if one.verdict == SAME else masked(one.platform, known)
        rows.append(row)
    document = {"format": FORMAT, "day": day.isoformat(), "platform": platform, "rows": rows}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def read(file: Path) -> Recording:
    """Raises ValueError for a file of another format."""
    document = json.loads(file.read_text())
    if document.get("format") != FORMAT:
        raise ValueError(f"{file.name} has format {document.get('format')}; this program reads {FORMAT}")
    rows = document["rows"]
    return Recording(
        day=date.fromisoformat(document["day"]),
        platform=str(document["platform"]),
        observed={one["check"]: one["platform"] for one in rows if one["verdict"] != NOT_OBSERVED},
        reasons={one["check"]: one["reason"] for one in rows if one["verdict"] == NOT_OBSERVED},
    )


def recordings(root: Path) -> list[Recording]:
    """Those of the live platforms that are committed, oldest first."""
    found = [read(file) for file in sorted((root / FOLDER).glob("*.json"))]
    return sorted(found, key=lambda one: one.day)


def latest(found: Iterable[Recording]) -> dict[str, tuple[date, Any]]:
    """Check to the newest observation of it and its day."""
    newest: dict[str, tuple[date, Any]] = {}
    for one in found:
        for check, value in one.observed.items():
            if check not in newest or newest[check][0] <= one.day:
                newest[check] = (one.day, value)
    return newest


def wrong_assumptions(checks: Iterable[Check[Any]], found: Iterable[Recording]) -> list[str]:
    """A sentence for each check where the stand-in gives another value than the platform did."""
    newest = latest(found)
    return [
        f"{one.name}: the platform gave {newest[one.name][1]!r} on {newest[one.name][0]}, the stand-in gives "
        f"{one.expects!r} ({one.how})"
        for one in checks
        if one.name in newest and newest[one.name][1] != one.expects
    ]
