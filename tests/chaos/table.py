"""The table of docs/reliability.md: a line for each row of the suite, written by a run of `scripts/test chaos`."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.rows.row import START, UPLOADS, Row

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- table: written by scripts/test chaos -->", "<!-- end of table -->"
HEAD = "| fault | strikes | the project ends as | recovered |\n|---|---|---|---|\n"
# Classes, not figures: a busy machine must not change the page. Upper bounds in seconds.
CLASSES = ((5, "under 5 s"), (20, "under 20 s"), (60, "under 1 min"), (120, "under 2 min"))
MOMENTS = {
    UPLOADS: "while photos are uploaded",
    START: "before the start",
    "download": "while photos download",
    "photos": "while photos are checked",
    "sfm": "in camera poses",
    "train": "in training",
    "export": "while files are written",
    "upload": "while files upload",
    "result": "when all files are uploaded",
}
ENDS = {
    "done": "scene done",
    "failed": "failed, can start again",
    "cancelled": "cancelled, can start again",
    "ready": "not started, with the reason",
    "uploading": "not started, with the reason",
}


def line(row: Row, recovered: str) -> str:
    return f"| {row.what} | {MOMENTS[row.when]} | {ENDS[row.state]} | {recovered} |"


def regression(table: str, row: Row, seconds: float) -> str:
    """How a row recovered worse than the table says; "" for not worse, or for a row that the table lacks. The
    next class is allowed: the table may come from a faster machine."""
    shown = [one for one in table.splitlines() if one.startswith(f"| {row.what} |")]
    names = [name for _, name in CLASSES]
    recorded = next((number for number, name in enumerate(names) for one in shown if one.endswith(f"| {name} |")), None)
    if recorded is None:
        return ""
    now = names.index(class_of(seconds))
    return f"{row.what} recovered in {seconds:.0f} s, recorded is {names[recorded]}" if now > recorded + 1 else ""


def class_of(seconds: float) -> str:
    """The class of a time to recover. Raises StopIteration above the last one, which no deadline allows."""
    return next(name for bound, name in CLASSES if seconds < bound)


def render(rows: Sequence[Row], seconds: Mapping[str, float]) -> str:
    """The table of a whole run. seconds: time to recover by row."""
    return HEAD + "".join(f"{line(row, class_of(seconds[row.what]))}\n" for row in rows)


def of_page(text: str) -> str:
    """The table in the text of the page."""
    return text.partition(f"{BEGIN}\n")[2].partition(END)[0]


def differences(table: str, rows: Sequence[Row]) -> list[str]:
    """What differs between a table and the rows, apart from the class of the time, which must fit the deadline."""
    bounds = {name: bound for bound, name in CLASSES}
    found = []
    lines = table.removeprefix(HEAD).splitlines()
    for row in rows:
        shown = [one for one in lines if one.startswith(f"| {row.what} |")]
        recovered = re.search(r"\| ([^|]+) \|$", shown[0]) if len(shown) == 1 else None
        if recovered is None or shown[0] != line(row, recovered.group(1)):
            found.append(f"{row.what}: {shown}")
        elif bounds.get(recovered.group(1), 999) > max(120, row.within_s):
            found.append(f"{row.what}: {recovered.group(1)} is no class")
    return found + ([f"{len(lines)} lines for {len(rows)} rows"] if len(lines) != len(rows) else [])


def with_table(text: str, table: str) -> str:
    """The text of the page with another table."""
    head, begin, rest = text.partition(f"{BEGIN}\n")
    return head + begin + table + END + rest.partition(END)[2]


def merged(table: str, rows: Sequence[Row], seconds: Mapping[str, float], *, only_new: bool = False) -> str:
    """The table with the results of a run of some rows. A row that did not run keeps its line; one that never ran has
    none. only_new: rows that have a line keep it."""
    lines = {one.split(" | ")[0]: one for one in table.removeprefix(HEAD).splitlines()}
    new = {f"| {row.what}": line(row, class_of(seconds[row.what])) for row in rows if row.what in seconds}
    known = {**new, **lines} if only_new else {**lines, **new}
    return HEAD + "".join(f"{known[f'| {row.what}']}\n" for row in rows if f"| {row.what}" in known)


def write(rows: Sequence[Row], seconds: Mapping[str, float], *, only_new: bool) -> None:
    """Put the results of a run into the page."""
    with PAGE.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parts of the suite may run side by side
        page = PAGE.read_text()
        PAGE.write_text(with_table(page, merged(of_page(page), rows, seconds, only_new=only_new)))
