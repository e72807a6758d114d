"""What the declarations of all commands share: options, arguments, the console for people, the checkout.
Parses nothing and does nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
console = Console(stderr=True, highlight=False)

StackOption = Annotated[
    str, typer.Option("--stack", "-s", help="The deployment: local, dev, prod, …", show_default=True)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Continue without a preview and a confirmation")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout")]
SceneArgument = Annotated[str, typer.Argument(help="ID of a scene (splat scenes lists them)", metavar="ID")]
MaxCostOption = Annotated[
    float | None,
    typer.Option("--max-cost", min=0.0001, help="US dollars that the job may cost; refused if estimated above"),
]
