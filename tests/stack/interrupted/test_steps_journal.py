"""A walk that was stopped goes on: its verdicts are read back, and only its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack.support.steps_journal import Journal, fingerprint


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "not made yet" / "steps.jsonl"


def test_a_later_walk_of_the_same_sources_knows_the_verdicts(file: Path) -> None:
    Journal(file, sources="a").put("up", "engine killed after POST /x", struck=True, problems=["left: one"])

    found = Journal(file, sources="a").get("up", "engine killed after POST /x")

    assert found == {"struck": True, "problems": ["left: one"]}


@pytest.mark.parametrize(("sources", "walk", "cut"), [("b", "up", "1"), ("a", "destroy", "1"), ("a", "up", "2")])
def test_a_verdict_of_other_sources_another_walk_or_another_cut_is_not_taken_over(
    file: Path, sources: str, walk: str, cut: str
) -> None:
    Journal(file, sources="a").put("up", "1", struck=True)

    assert Journal(file, sources=sources).get(walk, cut) is None


def test_a_line_that_was_cut_short_costs_that_line_only(file: Path) -> None:
    journal = Journal(file, sources="a")
    for cut in ("1", "2"):
        journal.put("up", cut, struck=True)
    file.write_bytes(file.read_bytes()[:-9])

    again = Journal(file, sources="a")
    again.put("up", "3", struck=True)

    assert [cut for cut in "123" if Journal(file, sources="a").get("up", cut)] == ["1", "3"]


def test_without_a_file_nothing_is_kept() -> None:
    Journal(None, sources="").put("up", "1", struck=True)

    assert Journal(None, sources="").get("up", "1") is None


def test_the_fingerprint_follows_texts_and_names_of_sources_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "infra"
    folder.mkdir()
    (tmp_path / "main.py").write_text("1")
    (folder / "a.py").write_text("1")
    parts = ("main.py", "infra")
    seen = [fingerprint(tmp_path, parts)]
    (folder / "a.log").write_text("said")
    assert fingerprint(tmp_path, parts) == seen[0]

    (folder / "a.py").write_text("2")
    seen.append(fingerprint(tmp_path, parts))
    (folder / "a.py").rename(folder / "b.py")
    seen.append(fingerprint(tmp_path, parts))
    (tmp_path / "main.py").write_text("2")
    seen.append(fingerprint(tmp_path, parts))

    assert len(set(seen)) == 4
