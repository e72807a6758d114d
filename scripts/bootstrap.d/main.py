"""Set-up in one command: tools, environments, packages, engine, all inside the checkout.
Standard library only, since nothing is installed yet; never needs root, never asks."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from engine import engine_step
from lint import actionlint_step
from packages import package_steps
from runner import Board, Failed, Step, run_all

ROOT = Path(__file__).resolve().parents[2]
# Measured with du on Linux; where a step was done before, its files are there and count for nothing.
NEEDED_GB = {"worker environment": 5.3, "deploy environment": 0.9, "edge packages": 0.5, "export tools": 0.3}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bootstrap", description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    parser.add_argument("--deploy-only", action="store_true", help="without the worker: for cloud stacks")
    arguments = parser.parse_args()
    steps = [*package_steps(ROOT, test=arguments.test, worker=not arguments.deploy_only), engine_step(ROOT)]
    if arguments.test:
        steps.append(actionlint_step(ROOT))
    todo = [step for step in steps if not step.is_done()]
    if not todo:
        return 0
    short = _room_short(todo)
    if short is not None:
        print(f"{short}\nhint: free some space, or move this folder to a larger disk", file=sys.stderr)
        return 1
    if any(step.name == "worker environment" for step in todo):
        print("Setting up in this folder, the first time some minutes:", file=sys.stderr)
    board = Board([step.name for step in todo], logs=ROOT / ".tools/logs")
    began = time.monotonic()
    try:
        run_all(todo, board)
    except Failed as failure:
        board.close()
        print(f"\nSet-up stopped at {failure.step}: {failure.reason}", file=sys.stderr)
        print(f"hint: {failure.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        board.close()
        print(
            "\nSet-up was stopped. Finished steps are kept; the same command goes on from here.",
            file=sys.stderr,
        )
        return 130
    board.close()
    print(f"Set-up done in {time.monotonic() - began:.0f} s.", file=sys.stderr)
    return 0


def _room_short(todo: list[Step]) -> str | None:
    """A sentence when the disk has less room than the steps ahead need."""
    needed_gb = sum(NEEDED_GB.get(step.name, 0.0) for step in todo)
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb >= needed_gb:
        return None
    return f"Set-up needs about {needed_gb:.1f} GB in {ROOT}, {free_gb:.1f} GB are free."


if __name__ == "__main__":
    raise SystemExit(main())
