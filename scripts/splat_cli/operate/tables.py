"""Tables that fit a terminal: columns that matter least are left out where the width is too small. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table

GAP = 2  # blanks between two columns


@dataclass(frozen=True, kw_only=True)
class Column:
    """right: for numbers. drop: 0 for a column that always stays; else the order in which columns are left out, the
    highest first. elastic: its cells may be shortened with an ellipsis."""

    name: str
    right: bool = False
    drop: int = 0
    elastic: bool = False


ELASTIC_MIN = 12  # characters of a column that may be shortened


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int) -> Table:
    """rows: a cell per column. width: of the terminal, in characters."""
    kept, sizes = fitting(columns, rows, width=width), _sizes(columns, rows)
    left = width - sum(sizes[index] + GAP for index in kept if not columns[index].elastic)
    out = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for index in kept:
        one = columns[index]
        out.add_column(
            one.name,
            justify="right" if one.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            max_width=max(ELASTIC_MIN, left) if one.elastic else None,
        )
    for row in rows:
        out.add_row(*(row[index] for index in kept))
    return out


def fitting(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int) -> list[int]:
    """The indices of the columns that fit side by side."""
    sizes = _sizes(columns, rows)
    least = [min(size, ELASTIC_MIN) if one.elastic else size for one, size in zip(columns, sizes, strict=True)]
    kept = list(range(len(columns)))
    while sum(least[index] + GAP for index in kept) - GAP > width:
        droppable = [index for index in kept if columns[index].drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda index: columns[index].drop))
    return kept


def _sizes(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Characters that each column needs."""
    return [max([cell_len(one.name), *(cell_len(row[index]) for row in rows)]) for index, one in enumerate(columns)]
