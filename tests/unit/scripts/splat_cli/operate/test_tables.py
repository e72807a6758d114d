"""Tables at the widths of terminals: no cell is shortened while a less important column can go."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from scripts.splat_cli.operate.tables import Column, fitting, table

COLUMNS = (
    Column(name="id"),
    Column(name="preset", drop=1),
    Column(name="waited", right=True, drop=2),
    Column(name="price", right=True),
    Column(name="name", drop=3, elastic=True),
)
ROWS = [("p_h9p1rs98ddsn436t", "standard", "1 min 32 s", "$0.0483", "A garden with a very long name indeed")]


@pytest.mark.parametrize(
    ("width", "kept"),
    [
        (200, ["id", "preset", "waited", "price", "name"]),
        (63, ["id", "preset", "waited", "price", "name"]),
        (62, ["id", "preset", "waited", "price"]),
        (40, ["id", "preset", "price"]),
        (20, ["id", "price"]),
    ],
)
def test_the_least_important_columns_are_left_out_first(width: int, kept: list[str]) -> None:
    assert [COLUMNS[index].name for index in fitting(COLUMNS, ROWS, width=width)] == kept


@pytest.mark.parametrize("width", [63, 80, 100])
def test_only_an_elastic_column_is_shortened(width: int) -> None:
    out = io.StringIO()
    Console(file=out, width=width).print(table(COLUMNS, ROWS, width=width))
    head, line = out.getvalue().splitlines()
    assert all(word in line for word in ROWS[0][:-1])
    assert all(one.name in head for one in COLUMNS)
    assert "A garden" in line
