"""`python -m scripts.gitops <command>`: what the workflows run.
Results go to stdout, progress to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drift found."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.gitops import github, image
from scripts.gitops.tools import Failed

if TYPE_CHECKING:
    from scripts.gitops.engine import Engine

DRIFTED = 3  # not 1, which is any failure: a refresh that failed is no drift

# The commands of a stack import what they need themselves: those of the image run without any package installed.
Command = Callable[[argparse.Namespace], int | None]


def main(argv: list[str] | None = None, *, folder: Path | None = None) -> int:
    options = _parser().parse_args(argv)
    options.folder = folder or Path.cwd()
    command: Command = options.command
    try:
        return command(options) or 0
    except Failed as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.gitops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command)
        return added

    previewed = add("preview", _preview, "print the plan as Markdown")
    previewed.add_argument("--stack", required=True)
    previewed.add_argument("--image", help="REPOSITORY@sha256:DIGEST of these sources; empty if none is built yet")
    add("drift", _drift, "print what changed outside Pulumi; exit code 3 if anything did").add_argument(
        "--stack", required=True
    )
    opened = add("review-open", _review_open, "deploy the stack pr-N; print its address")
    opened.add_argument("number")
    opened.add_argument("--set", action="append", default=[], type=_pair, metavar="KEY=VALUE")
    add("review-close", _review_close, "destroy the stack pr-N").add_argument("number")
    swept = add("review-sweep", _review_sweep, "destroy the review stacks of closed pull requests")
    swept.add_argument("--open", default="", help="numbers of the open pull requests, separated by commas")
    deployed = add("deploy", _deploy, "deploy an image, check the app, roll back if it fails")
    deployed.add_argument("--stack", required=True)
    deployed.add_argument("--image", required=True)

    built = add("build-image", _build_image, "build and push the worker image, unless the registry has it")
    built.add_argument("repository")
    add("install-scanners", _install_scanners, "install syft, grype and cosign with Go")
    signed = add("scan-and-sign-image", _scan_and_sign, "write the bill of materials, scan and sign an image")
    signed.add_argument("image", type=_reference, metavar="REPOSITORY@sha256:DIGEST")
    signed.add_argument("--reports", type=Path, default=Path("image-report"), help="folder for the reports")
    add("tag-image", _tag_image, "tag a checked image, so that deployments find it").add_argument(
        "image", type=_reference, metavar="REPOSITORY@sha256:DIGEST"
    )
    found = add("find-image", _find_image, "print the checked image of these sources; wait while it is built")
    found.add_argument("repository")
    found.add_argument("wanted", nargs="?", default="", help="an image to use instead; printed as it is")
    found.add_argument("--tries", type=int, default=image.WAIT_TRIES, help="one a minute (default: %(default)s)")

    commented = add("comment", _comment, "comment on a pull request, over the older comment with the same mark")
    commented.add_argument("number")
    commented.add_argument("file", type=Path)
    issue = add("update-issue", _update_issue, "open the issue with this title, or rewrite it")
    issue.add_argument("title")
    issue.add_argument("file", type=Path)
    return parser


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _reference(text: str) -> image.Reference:
    try:
        return image.Reference.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not REPOSITORY@sha256:DIGEST; a tag can move") from None


def _engine(options: argparse.Namespace) -> Engine:
    from scripts.gitops.engine import Engine

    return Engine(folder=options.folder)


def _preview(options: argparse.Namespace) -> int:
    """Prints a text in every case: the workflow posts it, and an older plan must not stand for this one."""
    from scripts.gitops import plan

    note = plan.NOT_BUILT if options.image == "" else ""
    try:
        found = plan.preview(_engine(options), options.stack, image=options.image or "")
    except Failed as failure:
        print(failure, file=sys.stderr)
        found = plan.NO_PLAN
    print(plan.render(found, stack=options.stack, note=note), end="")
    for problem in plan.problems(found):
        print(problem, file=sys.stderr)
    return 1 if plan.problems(found) else 0


def _drift(options: argparse.Namespace) -> int:
    from scripts.gitops import plan

    found = plan.preview(_engine(options), options.stack, refresh=True)
    if problems := plan.problems(found):
        raise Failed("\n".join(problems))
    print(plan.render(found, stack=options.stack, heading="Drift"), end="")
    return DRIFTED if plan.steps(found) else 0


def _review_open(options: argparse.Namespace) -> None:
    from scripts.gitops import review

    print(review.open_stack(_engine(options), options.number, dict(options.set))["appUrl"])


def _review_close(options: argparse.Namespace) -> None:
    from scripts.gitops import review

    print("destroyed" if review.close_stack(_engine(options), options.number) else "no such stack")


def _review_sweep(options: argparse.Namespace) -> int:
    from scripts.gitops import review

    done = review.sweep(_engine(options), [number for number in options.open.split(",") if number])
    print(json.dumps({"destroyed": done.destroyed, "failed": dict(done.failed)}))
    return 1 if done.failed else 0


def _deploy(options: argparse.Namespace) -> int:
    from scripts.gitops import deploy

    ended = deploy.deploy(_engine(options), options.stack, options.image)
    print(json.dumps({"outcome": ended.outcome, "image": ended.image, "reason": ended.reason}))
    return 0 if ended.outcome is deploy.Outcome.DEPLOYED else 1


def _build_image(options: argparse.Namespace) -> None:
    built = image.build(options.repository)
    print(f"digest={built.image.digest}\nchecked={str(built.checked).lower()}")


def _install_scanners(_options: argparse.Namespace) -> None:
    image.install_scanners()


def _scan_and_sign(options: argparse.Namespace) -> None:
    image.scan_and_sign(options.image, options.reports)


def _tag_image(options: argparse.Namespace) -> None:
    image.tag(options.image)


def _find_image(options: argparse.Namespace) -> None:
    print(options.wanted or image.find(options.repository, tries=options.tries))


def _comment(options: argparse.Namespace) -> None:
    github.comment(options.number, options.file)


def _update_issue(options: argparse.Namespace) -> None:
    github.update_issue(options.title, options.file)


if __name__ == "__main__":
    sys.exit(main())
