"""Runs command line tools, and the base of every error that ends a command of this package.
Standard library only: the image workflow runs before any package is installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping


class Failed(Exception):
    """A step failed. `str()` names the step and the reason."""


class ToolFailed(Failed):
    """A tool is missing, or returned an exit code other than 0."""


def output(*command: str, stdin: str | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Standard output of a command; its standard error is ours. Raises ToolFailed."""
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ToolFailed(f"{command[0]} is not installed.") from None
    if done.returncode != 0:
        raise ToolFailed(f"{' '.join(command[:3])} failed with exit code {done.returncode}.")
    return done.stdout
