"""Comments and issues through `gh`, which is a recorder here; its answers are the only made-up part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from scripts.gitops.__main__ import main

GH = """#!/bin/sh
echo "gh $*" >> "$LOG"
case "$*" in "issue list"* | "api --paginate"*) cat "$ISSUES" ;; esac
"""
MARKED = "<!-- photo-splat plan -->\nNo changes.\n"


@pytest.fixture
def gh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts the recorder first on PATH, with these numbers as the answer of each list. Returns the file of its calls."""

    def record(listed: str) -> Path:
        (tmp_path / "gh").write_text(GH)
        (tmp_path / "gh").chmod(0o755)
        (tmp_path / "issues").write_text(listed)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        monkeypatch.setenv("ISSUES", str(tmp_path / "issues"))
        return tmp_path / "log"

    return record


@pytest.mark.parametrize(
    ("open_issue", "command"), [("", "gh issue create --title Drift"), ("12\n", "gh issue edit 12")]
)
def test_drift_is_reported_in_one_issue(gh: Any, open_issue: str, command: str) -> None:
    log = gh(open_issue)
    assert main(["update-issue", "Drift", "body.md"]) == 0
    assert command in log.read_text()


@pytest.mark.parametrize(
    ("older", "call"),
    [
        ("", "gh api --silent --method POST repos/{owner}/{repo}/issues/7/comments"),
        ("99\n101\n", "gh api --silent --method PATCH repos/{owner}/{repo}/issues/comments/99"),
    ],
)
def test_a_comment_replaces_the_older_one_with_its_mark(gh: Any, tmp_path: Path, older: str, call: str) -> None:
    log = gh(older)
    (tmp_path / "plan.md").write_text(MARKED)
    assert main(["comment", "7", str(tmp_path / "plan.md")]) == 0
    listed, put = log.read_text().splitlines()
    assert "startswith(env.MARK)" in listed
    assert put == f"{call} --field body=@{tmp_path / 'plan.md'}"


@pytest.mark.parametrize(
    ("number", "text"),
    [("7; rm -rf .", MARKED), ("", MARKED), ("7", "no mark\n"), ("7", "")],
)
def test_a_comment_needs_a_number_and_a_mark(gh: Any, tmp_path: Path, number: str, text: str) -> None:
    log = gh("")
    (tmp_path / "plan.md").write_text(text)
    assert main(["comment", number, str(tmp_path / "plan.md")]) == 1
    assert not log.exists()
