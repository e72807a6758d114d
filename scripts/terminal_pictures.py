"""Writes docs/images/splat-*.svg: what commands print on the stack of `make up`, in a terminal of 80 columns.
`python -m scripts.terminal_pictures [monitor doctor cost …]`. Runs each command for real and changes nothing."""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs/images"
WIDTH, HEIGHT = 80, 40
READ_BYTES = 65536
COMMANDS = {
    "monitor": ("monitor", "--once"),
    "doctor": ("doctor",),
    "cost": ("cost",),
    "capacity": ("capacity", "--jobs-per-hour", "20", "--photos", "50"),
}
# Without the fonts that rich loads from the network: a picture of ours shows the reader's own.
SVG_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def printed(command: Sequence[str]) -> str:
    """What a command prints to a terminal, with its colours. Its exit status does not matter: a doctor that finds
    something exits with 1."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ["TERM"] = "xterm-256color"
        os.environ.pop("COLUMNS", None)
        os.execv(command[0], list(command))  # noqa: S606 - our own command, in a terminal
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    parts = []
    while True:
        try:
            part = os.read(terminal, READ_BYTES)
        except OSError:  # how Linux reports that the command has ended
            break
        if not part:
            break
        parts.append(part)
    os.close(terminal)
    os.waitpid(child, 0)
    return b"".join(parts).decode("utf-8", errors="replace").replace("\r\n", "\n")


def picture(text: str, *, title: str) -> str:
    """The text of a terminal as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=False)
    # One id for all, so that a picture changes only where its text does.
    return console.export_svg(title=title, code_format=SVG_FORMAT, unique_id="terminal")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.terminal_pictures", description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted(COMMANDS), metavar="NAME", help=", ".join(COMMANDS))
    for name in parser.parse_args(argv).names:
        words = COMMANDS[name]
        text = printed([str(ROOT / ".venv/bin/splat"), *words])
        file = FOLDER / f"splat-{name}.svg"
        file.write_text(picture(text, title=" ".join(("splat", *words))), "utf-8")
        print(f"{file.relative_to(ROOT)}: {len(text.splitlines())} lines", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
