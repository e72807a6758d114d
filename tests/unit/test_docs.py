"""What the documents point to exists: every relative link and heading, every command that a reader types.
Addresses on the network are not opened."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer.main

from scripts.splat_cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / line
    for line in subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / line).exists()
]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or (anchor and aim.suffix == ".md" and anchor not in anchors(aim)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert broken_links(page) == []


PLACE = re.compile(
    r"`((?:bench|common|docs|edge_worker|infra|local_cloud|ops|samples|scripts|tests|worker_image)/[\w./-]+)`"
)


# This decision names what moved.
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name != "0017-rooms-redesigned.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_file_and_folder_that_a_page_names_exists(page: Path) -> None:
    assert [place for place in PLACE.findall(page.read_text()) if not (ROOT / place).exists()] == []


MANUAL = ROOT / "docs/from-a-manual-setup.md"


def rows_with_tests(page: Path) -> list[list[str]]:
    """The rows of a page's tables whose last column names tests."""
    found, wanted = [], False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and cells[-1] in ("test", "tests"):
            wanted = True
        elif not cells:
            wanted = False
        elif wanted and set(cells[-1]) != {"-"}:
            found.append(cells)
    return found


def missing_tests(cell: str) -> list[str]:
    """What a cell names, as `tests/…` or `tests/…::name`, and does not exist."""
    missing = []
    for name in re.findall(r"`([^`]+)`", cell) or [cell]:
        path, _, test = name.partition("::")
        exists = bool(path) and (ROOT / path).exists()
        if not exists or (test and f"def {test}(" not in (ROOT / path).read_text()):
            missing.append(name)
    return missing


def test_every_step_of_a_manual_setup_has_a_command_and_tests_that_exist() -> None:
    rows = rows_with_tests(MANUAL)
    assert len(rows) > 20
    assert [row for row in rows if not all(row)] == []
    assert [name for row in rows for name in missing_tests(row[-1])] == []


def test_an_empty_cell_and_a_missing_test_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "| by hand | command | tests |\n|---|---|---|\n| a | | `tests/unit/test_docs.py::gone` |\n\n| a | b |\n"
    )
    [row] = rows_with_tests(page)
    assert row[1] == ""
    assert missing_tests(row[-1]) == ["tests/unit/test_docs.py::gone"]
    assert missing_tests("`tests/unit/test_docs.py`, `tests/gone.py`") == ["tests/gone.py"]
    assert missing_tests("") == [""]


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A head, here\n[a](gone.md) [b](#a-head-here) [c](#no-head) [d](https://x.test/) [e](page.md#a-head-here)\n"
    )
    assert broken_links(page) == ["gone.md", "#no-head"]


DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_context_decision_and_consequences(page: Path) -> None:
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences"]
    assert page.read_text().startswith(f"# {int(page.name[:4])}. ")


def test_the_index_links_every_page_and_decision() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text())}
    assert [page.name for page in (*index.parent.glob("*.md"), *DECISIONS) if page not in linked | {index}] == []


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def wrong_commands(text: str) -> list[str]:
    """Commands of this checkout in code blocks and code spans whose target, subcommand or option does not exist."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", CODE.sub("", text))
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split("&&")]
    return [line for line in lines + spans if not exists(line)]


def exists(line: str) -> bool:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return True
    words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    match words:
        case ["make", *targets]:
            return all(target in make_targets() for target in targets if re.fullmatch(r"[a-z][\w-]*", target))
        case ["splat" | ".venv/bin/splat", name, *rest]:
            command = typer.main.get_command(app).commands.get(name)  # type: ignore[attr-defined]
            if command is None:
                return not re.fullmatch(r"[a-z]+", name)
            if rest and rest[0] in getattr(command, "commands", {}):
                command, rest = command.commands[rest[0]], rest[1:]
            known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
            known |= {option for parameter in command.params for option in parameter.secondary_opts}
            return name == "pulumi" or all(word.split("=")[0] in known for word in rest if word.startswith("--"))
        case [program, *_] if program.startswith(("scripts/", "bench/")) and not re.search(r"[*<>{}…]", program):
            return (ROOT / program.rstrip(":/")).exists()
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_reader_types_exists(page: Path) -> None:
    assert wrong_commands(page.read_text()) == []


def test_a_command_that_does_not_exist_is_found() -> None:
    block = "```sh\nmake up PHOTOS=x && make nothing\n```\n"
    group = "`splat cost --by day` `splat cost estimate --gpus 1`"
    text = block + "`splat opne` `splat up --porto 1` `splat up --port 1` `scripts/gone --x`" + group
    wrong = ["splat opne", "splat up --porto 1", "scripts/gone --x", "splat cost estimate --gpus 1"]
    assert wrong_commands(text) == ["make nothing", *wrong]
