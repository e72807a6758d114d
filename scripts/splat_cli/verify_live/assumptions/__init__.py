"""The assumptions as rows, one file per platform, and the tables of the docs that are generated from them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.splat_cli.verify_live.check import Check
from scripts.splat_cli.verify_live.recording import Recording, latest

HERE = Path(__file__).parent
BEGIN, END = "<!-- assumptions: begin -->", "<!-- assumptions: end -->"
# Page of the docs: the file of its rows.
PAGES: Mapping[str, str] = {
    "docs/local-cloud-runpod.md": "runpod.toml",
    "docs/cloudflare-provider.md": "cloudflare.toml",
}
KINDS = ("doc", "SDK", "SDK, seen", "seen", "guess", "ours")
COMMAND = "python -m scripts.splat_cli.verify_live.assumptions"


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """checks: those that observe it on the platform. reason: why none can; "" where it is about us."""

    section: str
    behaviour: str
    kind: str
    source: str = ""
    checks: tuple[str, ...] = ()
    reason: str = ""


def read(name: str) -> tuple[Assumption, ...]:
    """The rows of one file. Raises ValueError for a row of another form."""
    rows = tomllib.loads((HERE / name).read_text())["row"]
    found = tuple(Assumption(**{**row, "checks": tuple(row.get("checks", ()))}) for row in rows)
    for one in found:
        if one.kind not in KINDS:
            raise ValueError(f"{name}: {one.behaviour} has kind {one.kind}, allowed {', '.join(KINDS)}")
        if bool(one.checks) == bool(one.reason) and one.kind != "ours":
            raise ValueError(f"{name}: {one.behaviour} needs checks, or a reason why there are none")
    return found


def every() -> tuple[Assumption, ...]:
    return tuple(one for name in PAGES.values() for one in read(name))


def of_check(name: str) -> tuple[str, ...]:
    """The assumptions that a check observes, in words."""
    return tuple(one.behaviour for one in every() if name in one.checks)


def table(rows: Sequence[Assumption], checks: Iterable[Check[Any]], recordings: Iterable[Recording]) -> str:
    """The generated part of a page: how much is verified, and a table per section."""
    newest = latest(recordings)
    expects = {one.name: one.expects for one in checks}
    live = {one: _live(one, expects, newest) for one in rows}
    open_ = [one for one in rows if one.kind != "ours" and not live[one].startswith(("as assumed", "**differs"))]
    ours = sum(one.kind == "ours" for one in rows)
    lines = [
        BEGIN,
        f"{len(open_)} of {len(rows) - ours} assumptions are not verified on the platform: those whose last column has "
        "no date.",
    ]
    section = ""
    for one in rows:
        if one.section != section:
            section = one.section
            lines += ["", f"### {section}", "", "| behaviour | kind | source | on the platform |", "|---|---|---|---|"]
        lines.append(f"| {one.behaviour} | {one.kind} | {one.source} | {live[one]} |".replace("|  |", "| |"))
    return "\n".join([*lines, END])


def _live(row: Assumption, expects: Mapping[str, Any], newest: Mapping[str, Any]) -> str:
    names = ", ".join(f"`{name}`" for name in row.checks)
    if not row.checks:
        return f"not checked: {row.reason}" if row.reason else ""
    wrong = [name for name in row.checks if name in newest and newest[name][1] != expects[name]]
    if wrong:
        return f"**differs** on {max(newest[name][0] for name in wrong)}: {', '.join(f'`{name}`' for name in wrong)}"
    if all(name in newest for name in row.checks):
        return f"as assumed on {min(newest[name][0] for name in row.checks)}: {names}"
    return names


def replaced(page: str, generated: str) -> str:
    """The text of a page with its generated part."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + generated + after
