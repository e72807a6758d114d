"""A wrong wall clock for one process and its children, by a preloaded library. Linux with a C compiler only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def is_possible() -> bool:
    return sys.platform == "linux" and shutil.which("cc") is not None


@cache
def _library(folder: Path) -> Path:
    """Build the library into `folder`. Raises OSError where it cannot be built."""
    if not is_possible():
        raise OSError("moving a process's clock needs Linux and a C compiler (cc)")
    library = folder / "clock_skew.so"
    folder.mkdir(parents=True, exist_ok=True)
    part = library.with_suffix(".part")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(part), str(SOURCE), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise OSError(f"{SOURCE.name} cannot be built: {built.stderr.strip()}")
    part.replace(library)
    return library


def environment(seconds: int, folder: Path) -> dict[str, str]:
    """Variables of a process whose wall clock shall be `seconds` ahead, or behind where negative. folder: for the
    library. Empty for 0. Raises OSError where that is not possible."""
    if seconds == 0:
        return {}
    return {"LD_PRELOAD": str(_library(folder)), "CLOCK_SKEW_S": str(seconds)}
