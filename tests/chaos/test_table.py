"""docs/reliability.md lists exactly the rows of the suite. No process is started here."""

from __future__ import annotations

import dataclasses

import pytest

from tests.chaos import table
from tests.chaos.rows import ROWS


def test_the_page_lists_every_row_as_it_is() -> None:
    assert table.differences(table.of_page(table.PAGE.read_text()), ROWS) == [], "run scripts/test chaos"


def test_a_row_that_the_table_lacks_or_shows_otherwise_is_found() -> None:
    whole = table.render(ROWS, {row.what: 1.0 for row in ROWS})
    assert table.differences(whole, ROWS) == []
    first, *others = ROWS
    assert table.differences(whole, others) != []
    assert table.differences(whole.replace(f"| {first.what} |", "| Another |"), ROWS) != []
    assert table.differences(whole, [dataclasses.replace(first, state="failed"), *others]) != []


@pytest.mark.parametrize("before", ["", "| old |\n"])
def test_a_run_replaces_the_table_and_nothing_else(before: str) -> None:
    page = f"# Head\n\n{table.BEGIN}\n{before}{table.END}\ntail\n"
    assert table.with_table(page, "| new |\n") == f"# Head\n\n{table.BEGIN}\n| new |\n{table.END}\ntail\n"


def test_every_row_has_a_name_of_its_own_and_an_end() -> None:
    assert len({row.what for row in ROWS}) == len(ROWS) >= 40
    assert [row.what for row in ROWS if row.state == "failed" and not row.user] == []
