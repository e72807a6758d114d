"""`python -m scripts.gitops <command>`: what the workflows run.
Results go to stdout, progress to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 drift found."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.gitops import github, image, plan, review
from scripts.gitops.engine import Engine
from scripts.gitops.tools import Failed

DRIFTED = 3  # not 1, which is any failure: a refresh that failed is no drift


def main(argv: list[str] | None = None, *, folder: Path | None = None) -> int:
    options = vars(_parser().parse_args(argv))
    command: Callable[..., int | None] = options.pop("command")
    if options.pop("of_stack"):
        options["engine"] = Engine(folder=folder or Path.cwd())
    try:
        return command(**options) or 0
    except Failed as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    """Each command is a function; its parameters are the names of its arguments."""
    parser = argparse.ArgumentParser(prog="python -m scripts.gitops", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[..., int | None], text: str, *, of_stack: bool = False
    ) -> Callable[..., object]:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=command, of_stack=of_stack)
        return added.add_argument

    argument = add("preview", preview, "print the plan as Markdown", of_stack=True)
    argument("--stack", required=True)
    argument("--image", help="REPOSITORY@sha256:DIGEST of these sources; empty if none is built yet")
    argument = add("drift", drift, "print what changed outside Pulumi; exit code 3 if anything did", of_stack=True)
    argument("--stack", required=True)
    argument = add("review-open", review_open, "deploy the stack pr-N; print its address", of_stack=True)
    argument("number")
    argument("--set", action="append", default=[], type=_pair, metavar="KEY=VALUE", dest="settings")
    argument = add("review-close", review_close, "destroy the stack pr-N", of_stack=True)
    argument("number")
    argument = add("review-sweep", review_sweep, "destroy the stacks of closed pull requests", of_stack=True)
    argument("--open", default="", help="numbers of the open ones, separated by commas", dest="still_open")
    argument = add("deploy", deploy, "deploy an image, check the app, roll back if it fails", of_stack=True)
    argument("--stack", required=True)
    argument("--image", required=True)

    argument = add("build-image", build_image, "build and push the worker image, unless the registry has it")
    argument("repository")
    add("install-scanners", image.install_scanners, "install syft, grype and cosign with Go")
    argument = add("scan-and-sign-image", image.scan_and_sign, "write the bill of materials, scan and sign an image")
    argument("image", type=_reference, metavar="REPOSITORY@sha256:DIGEST")
    argument("--reports", type=Path, default=Path("image-report"), help="folder for the reports")
    argument = add("tag-image", image.tag, "tag a checked image, so that deployments find it")
    argument("image", type=_reference, metavar="REPOSITORY@sha256:DIGEST")
    argument = add("find-image", find_image, "print the checked image of these sources; wait while it is built")
    argument("repository")
    argument("wanted", nargs="?", default="", help="an image to use instead; printed as it is")
    argument("--tries", type=int, default=image.WAIT_TRIES, help="tries, one a minute (default: %(default)s)")

    argument = add("published", compare_published, "compare RunPod's API with its copy; exit code 3 if it differs")
    argument("--url", help="the document to compare with (default: what RunPod serves)")

    argument = add("comment", github.comment, "comment on a pull request, over the older comment with its mark")
    argument("number")
    argument("file", type=Path)
    argument = add("update-issue", github.update_issue, "open the issue with this title, or rewrite it")
    argument("title")
    argument("file", type=Path)
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


def preview(engine: Engine, stack: str, image: str | None) -> int:
    """Prints a text in every case: the workflow posts it, and an older plan must not stand for this one. Plans twice:
    only the plan without a refresh names properties, and only the one after a refresh sees what changed outside."""
    refreshed: dict[str, Any] = {}
    try:
        found = plan.preview(engine, stack, image=image or "")
        if not plan.problems(found):
            refreshed = plan.preview(engine, stack, image=image or "", refresh=True)
    except Failed as failure:
        print(failure, file=sys.stderr)
        found = plan.NO_PLAN
    if plan.problems(refreshed):
        found = refreshed
    note = plan.NOT_BUILT if image == "" else ""
    print(plan.render(found, stack=stack, note=note, outside=plan.changed_outside(found, refreshed)), end="")
    for problem in plan.problems(found):
        print(problem, file=sys.stderr)
    return 1 if plan.problems(found) else 0


def drift(engine: Engine, stack: str) -> int:
    found = plan.preview(engine, stack, refresh=True)
    if problems := plan.problems(found):
        raise Failed("\n".join(problems))
    print(plan.render(found, stack=stack, heading="Drift"), end="")
    return DRIFTED if plan.steps(found) else 0


def compare_published(url: str | None) -> int:
    from scripts.gitops import published  # httpx is not installed where images are built

    return DRIFTED if published.compare(url or published.LIVE_URL) else 0


def review_open(engine: Engine, number: str, settings: list[tuple[str, str]]) -> None:
    print(review.open_stack(engine, number, dict(settings))["appUrl"])


def review_close(engine: Engine, number: str) -> None:
    print("destroyed" if review.close_stack(engine, number) else "no such stack")


def review_sweep(engine: Engine, still_open: str) -> int:
    done = review.sweep(engine, [number for number in still_open.split(",") if number])
    print(json.dumps({"destroyed": done.destroyed, "failed": dict(done.failed)}))
    return 1 if done.failed else 0


def deploy(engine: Engine, stack: str, image: str) -> int:
    from scripts.gitops import deploy  # needs httpx, which the image workflow does not have

    ended = deploy.deploy(engine, stack, image)
    print(json.dumps({"outcome": ended.outcome, "image": ended.image, "reason": ended.reason}))
    return 0 if ended.outcome is deploy.Outcome.DEPLOYED else 1


def build_image(repository: str) -> None:
    built = image.build(repository)
    print(f"digest={built.image.digest}\nchecked={str(built.checked).lower()}")


def find_image(repository: str, wanted: str, tries: int) -> None:
    print(wanted or image.find(repository, tries=tries))


if __name__ == "__main__":
    sys.exit(main())
