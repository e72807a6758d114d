"""docs/reliability.md lists exactly the rows of the suite. No process is started here."""

from __future__ import annotations

import dataclasses

import pytest

from tests.chaos import table
from tests.chaos.rows.all import ROWS


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


def test_a_run_of_some_rows_changes_only_their_lines() -> None:
    whole = table.render(ROWS, {row.what: 1.0 for row in ROWS})
    slow = table.merged(whole, ROWS, {ROWS[1].what: 30.0})
    changed = [one for one, before in zip(slow.splitlines(), whole.splitlines(), strict=True) if one != before]
    assert changed == [table.line(ROWS[1], "under 1 min")]
    assert table.merged(table.HEAD, ROWS, {}) == table.HEAD
    assert table.merged(whole, ROWS, {ROWS[1].what: 30.0}, only_new=True) == whole
    new = table.merged(table.HEAD, ROWS, {ROWS[1].what: 30.0}, only_new=True)
    assert new == table.HEAD + table.line(ROWS[1], "under 1 min") + "\n"


@pytest.mark.parametrize(("seconds", "is_worse"), [(1.0, False), (19.0, False), (21.0, True), (119.0, True)])
def test_a_row_that_recovers_two_classes_slower_than_recorded_is_a_regression(seconds: float, is_worse: bool) -> None:
    recorded = table.render(ROWS, {row.what: 4.0 for row in ROWS})
    assert (table.regression(recorded, ROWS[0], seconds) != "") is is_worse


def test_a_row_without_a_record_is_no_regression() -> None:
    assert table.regression(table.HEAD, ROWS[0], 100.0) == ""
