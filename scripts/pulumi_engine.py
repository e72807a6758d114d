"""Where set-up put the Pulumi engine, and the environment that every `pulumi` of this checkout runs in."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path


def recorded_folder(root: Path) -> Path | None:
    """The folder that holds `pulumi`, as scripts/bootstrap recorded it. None when set-up has not run."""
    try:
        return Path(json.loads((root / ".tools/engine.json").read_text())["folder"])
    except (OSError, ValueError, KeyError):
        return None


def environment(root: Path, *, first_on_path: Sequence[Path] = (), without: str | None = None) -> dict[str, str]:
    """The process's environment with the checkout's packages and its engine first on PATH.
    without: beginning of the names of variables that are not passed on."""
    engine = recorded_folder(root)
    folders = [*first_on_path, root / ".venv/bin", *([engine] if engine else []), os.environ.get("PATH", "")]
    return {
        **{name: value for name, value in os.environ.items() if without is None or not name.startswith(without)},
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # pulumi_cloudflare warns about its own age on import, dozens of lines at each run.
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        "PATH": os.pathsep.join(map(str, folders)),
    }
