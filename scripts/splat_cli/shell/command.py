"""`splat --version` and `splat completion`: the checkout's version, and typer's completion scripts."""

from __future__ import annotations

import subprocess
import tomllib
from typing import Annotated

import typer
from typer import completion as shell_scripts

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.options import ROOT

PROGRAM = "splat"
COMPLETE_VARIABLE = "_SPLAT_COMPLETE"  # as the scripts set it and typer reads it
SHELLS = ("bash", "zsh", "fish", "powershell")


def version() -> str:
    """`splat 0.1.0 (commit 81020fc)`; without the commit where this is no git checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return f"{PROGRAM} {project['version']}{_commit()}"


def _commit() -> str:
    try:
        told = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f" (commit {told.stdout.strip()})" if told.returncode == 0 else ""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version())
        raise typer.Exit


def root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Photos in, 3D Gaussian-splat scene out: deploy the service, make scenes, destroy it."""


def completion(shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell", metavar="SHELL")]) -> None:
    """Print the completion script for a shell. For example: source <(splat completion bash)."""
    if shell not in SHELLS:
        raise CommandError(f"There is no completion for {shell!r}.", hint=f"choose one of {', '.join(SHELLS)}")
    # typer's functions are documented, but not in its __all__.
    script = shell_scripts.get_completion_script(  # type: ignore[attr-defined]
        prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE, shell=shell
    )
    print(script)


def add_to(app: typer.Typer) -> None:
    """Register both. The scripts call `splat` again with the line so far; typer's classes answer them."""
    shell_scripts.completion_init()  # type: ignore[attr-defined]
    app.callback()(root)
    app.command()(completion)
