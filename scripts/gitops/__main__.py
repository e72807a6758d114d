"""`python -m scripts.gitops <command>`: what a workflow calls.
Results on stdout, the engine's words on stderr; exit code 0 done, 1 failed, 3 drift found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from scripts.gitops import deploy, plan, review
from scripts.gitops.engine import Engine, EngineFailed

DRIFTED = 3  # not 1, with which everything else fails: a look that could not be had is no drift


def main(argv: list[str] | None = None, *, folder: Path | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.gitops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    planned = commands.add_parser("preview", help="the plan as Markdown")
    planned.add_argument("--stack", required=True)
    planned.add_argument("--image", help="repository@sha256:digest of these sources; empty where none is built yet")
    drifted = commands.add_parser("drift", help="what changed outside; exit 3 if anything did")
    drifted.add_argument("--stack", required=True)
    opened = commands.add_parser("review-open", help="deploy pr-N; prints its address")
    opened.add_argument("number")
    opened.add_argument("--set", action="append", default=[], type=_pair, metavar="KEY=VALUE")
    commands.add_parser("review-close", help="destroy pr-N").add_argument("number")
    swept = commands.add_parser("review-sweep", help="destroy review stacks of closed pull requests")
    swept.add_argument("--open", default="", help="numbers of the open ones, separated by commas")
    deployed = commands.add_parser("deploy", help="put an image on a stack, try it, return to the last good one")
    deployed.add_argument("--stack", required=True)
    deployed.add_argument("--image", required=True)
    options = parser.parse_args(argv)
    engine = Engine(folder=folder or Path.cwd())
    try:
        return _run(engine, options)
    except (EngineFailed, review.BadNumber) as problem:
        print(problem, file=sys.stderr)
        return 1


def _run(engine: Engine, options: argparse.Namespace) -> int:
    match options.command:
        case "preview":
            return _preview(engine, options.stack, options.image)
        case "drift":
            found = plan.preview(engine, options.stack, refresh=True)
            if problems := plan.problems(found):
                raise EngineFailed("\n".join(problems))
            print(plan.render(found, stack=options.stack, heading="Drift"), end="")
            return DRIFTED if plan.steps(found) else 0
        case "review-open":
            print(review.open_stack(engine, options.number, dict(options.set))["appUrl"])
        case "review-close":
            print("destroyed" if review.close_stack(engine, options.number) else "there was none")
        case "review-sweep":
            done = review.sweep(engine, [number for number in options.open.split(",") if number])
            print(json.dumps({"destroyed": done.destroyed, "failed": dict(done.failed)}))
            return 1 if done.failed else 0
        case "deploy":
            ended = deploy.deploy(engine, options.stack, options.image)
            print(json.dumps({"outcome": ended.outcome, "image": ended.image, "reason": ended.reason}))
            return 0 if ended.outcome is deploy.Outcome.DEPLOYED else 1
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _preview(engine: Engine, stack: str, image: str | None) -> int:
    """Prints a text in every case: the workflow comments it, and an older plan must not stand for this one."""
    note = plan.NOT_BUILT if image == "" else ""
    try:
        found = plan.preview(engine, stack, image=image or "")
    except EngineFailed as failure:
        print(failure, file=sys.stderr)
        found = plan.NO_PLAN
    print(plan.render(found, stack=stack, note=note), end="")
    for problem in plan.problems(found):
        print(problem, file=sys.stderr)
    return 1 if plan.problems(found) else 0


if __name__ == "__main__":
    sys.exit(main())
