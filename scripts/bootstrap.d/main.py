"""Set-up in one command: tools, environments, packages, engine, all inside the checkout.
Standard library only, since nothing is installed yet; never needs root, never asks."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parent))

from board import Board, duration
from causes import Kind
from engine import engine_step
from lint import actionlint_step
from packages import package_steps
from platforms import Machine, refusal
from runner import Failed, Step, due, run_all

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130  # as a shell reports a command that Ctrl-C ended
# Measured with du on Linux; a step that is done needs nothing more.
NEEDED_GB = {
    "worker environment": 5.3,
    "deploy environment": 0.9,
    "edge packages": 0.5,
    "export tools": 0.3,
    "pulumi engine": 0.3,
}
# An estimate for 2 cores and fast downloads. The engine's build, where it is needed, is announced apart.
MINUTES_WITH_WORKER, MINUTES_DEPLOY_ONLY = 4, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when everything is set up, 1 for a fault of the machine or the network, 2 for a bug of ours."""
    parser = argparse.ArgumentParser(prog="scripts/bootstrap", description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    parser.add_argument("--deploy-only", action="store_true", help="without the worker: for cloud stacks")
    options = parser.parse_args(arguments)
    refused = refusal(Machine.this(), worker=not options.deploy_only)
    if refused is not None:
        print(refused, file=sys.stderr)
        return 1
    steps = [*package_steps(ROOT, test=options.test, worker=not options.deploy_only), engine_step(ROOT)]
    if options.test:
        steps.append(actionlint_step(ROOT))
    todo = due(steps)
    if not todo:
        return 0
    short = _disk_short(todo)
    if short is not None:
        print(f"{short}\nhint: free some space, or move this folder to a larger disk", file=sys.stderr)
        return 1
    # Closing the terminal stops the set-up as Ctrl-C does, with the programs that it started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    return _set_up(todo)


def _set_up(todo: list[Step]) -> int:
    print(_estimate(todo), file=sys.stderr)
    board = Board([step.name for step in todo])
    began = time.monotonic()
    try:
        run_all(todo, board, logs=ROOT / ".tools/logs")
    except Failed as failure:
        print(f"\nSet-up stopped at {failure.step}: {failure.reason}\nhint: {failure.hint}", file=sys.stderr)
        return 2 if failure.kind is Kind.BUG else 1
    except KeyboardInterrupt:
        print("\nSet-up stopped. Run the same command to continue; finished steps are reused.", file=sys.stderr)
        return INTERRUPTED
    print(f"Set-up done in {duration(time.monotonic() - began)}.", file=sys.stderr)
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _estimate(todo: list[Step]) -> str:
    """What lies ahead, before it begins."""
    names = {step.name for step in todo}
    if "worker environment" in names:
        return f"Setting up in this folder: about {MINUTES_WITH_WORKER} min and {_gb(todo):.0f} GB the first time."
    if "deploy environment" in names:
        return f"Setting up in this folder: about {MINUTES_DEPLOY_ONLY} min and {_gb(todo):.0f} GB the first time."
    return "Updating the set-up of this folder:"


def _gb(todo: list[Step]) -> float:
    return sum(NEEDED_GB.get(step.name, 0.0) for step in todo)


def _disk_short(todo: list[Step]) -> str | None:
    """A sentence when the disk has less room than the steps ahead need."""
    needed_gb, free_gb = _gb(todo), shutil.disk_usage(ROOT).free / 1e9
    if free_gb >= needed_gb:
        return None
    return f"Set-up needs about {needed_gb:.1f} GB in {ROOT}; only {free_gb:.1f} GB are free."


if __name__ == "__main__":
    raise SystemExit(main())
