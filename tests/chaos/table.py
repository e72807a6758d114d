"""The table of docs/reliability.md: a line for each row of the suite, written by a whole run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.rows import START, Row

PAGE = Path(__file__).parents[2] / "docs/reliability.md"
BEGIN, END = "<!-- table: written by scripts/test chaos -->", "<!-- end of table -->"
HEAD = "| fault | strikes | the project ends as | recovered |\n|---|---|---|---|\n"
# Classes, not figures: a busy machine must not change the page. Upper bounds in seconds.
CLASSES = ((5, "under 5 s"), (20, "under 20 s"), (60, "under 1 min"), (120, "under 2 min"))
MOMENTS = {
    START: "before the start",
    "download": "while photos download",
    "sfm": "in camera poses",
    "train": "in training",
    "upload": "while files upload",
    "result": "when all files are uploaded",
}
ENDS = {
    "done": "scene done",
    "failed": "failed, can start again",
    "cancelled": "cancelled, can start again",
    "ready": "not started, with the reason",
}


def line(row: Row, recovered: str) -> str:
    return f"| {row.what} | {MOMENTS[row.when]} | {ENDS[row.state]} | {recovered} |"


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


def write(rows: Sequence[Row], seconds: Mapping[str, float]) -> None:
    """Put the results of a whole run into the page."""
    PAGE.write_text(with_table(PAGE.read_text(), render(rows, seconds)))
