"""Pictures of commands: what a terminal of 80 columns shows, as SVG that loads nothing from the network."""

from __future__ import annotations

import re
import sys

import pytest

from scripts.terminal_pictures import COMMANDS, FOLDER, picture, printed


def test_a_command_runs_in_a_terminal_of_80_columns_with_colours() -> None:
    script = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns, '\\x1b[31mred\\x1b[0m')"
    assert printed([sys.executable, "-c", script]) == "True 80 \x1b[31mred\x1b[0m\n"


def test_a_picture_holds_the_text_and_its_title_and_loads_nothing() -> None:
    svg = picture("\x1b[32m✓\x1b[0m bucket CORS  <b>allowed</b>\n", title="splat doctor")
    assert "splat&#160;doctor" in svg
    assert "bucket&#160;CORS" in svg
    assert "&lt;b&gt;allowed" in svg
    assert "url(" not in svg.replace("url(#", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_committed_picture_is_of_its_command_and_loads_nothing(name: str) -> None:
    svg = (FOLDER / f"splat-{name}.svg").read_text()
    assert "&#160;".join(("splat", *COMMANDS[name])) in svg
    assert not re.search(r"(href|src)=|url\((?!#)", svg)
