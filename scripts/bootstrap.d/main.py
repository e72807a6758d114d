"""Set-up in one command: tools, environments, packages, engine, all inside the checkout.
Standard library only, since nothing is installed yet; never needs root, never asks."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from engine import engine_step
from packages import package_steps
from runner import Board, Failed, run_all

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bootstrap", description=__doc__)
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    parser.add_argument("--deploy-only", action="store_true", help="without the worker: for cloud stacks")
    arguments = parser.parse_args()
    steps = [*package_steps(ROOT, test=arguments.test, worker=not arguments.deploy_only), engine_step(ROOT)]
    todo = [step for step in steps if not step.is_done()]
    if not todo:
        return 0
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


if __name__ == "__main__":
    raise SystemExit(main())
