"""`splat doctor`: parses, prints, asks. The modules beside it do the work."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from scripts.splat_cli.options import ROOT, JsonOption, StackOption, YesOption, console
from scripts.splat_cli.stack import LOCAL


def doctor(
    *,
    stack: StackOption = LOCAL,
    fix: Annotated[
        bool, typer.Option("--fix", help="Deploy again where that fixes a finding, then check again")
    ] = False,
    log: Annotated[
        list[Path] | None, typer.Option("--log", help="Scan a saved log (docker build, worker) instead of the stack")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check a deployed stack from the ground up. Prints what is wrong, the evidence, and the fix."""
    from scripts.splat_cli.doctor.examine import examine, examine_log
    from scripts.splat_cli.doctor.finding import Action, Verdict
    from scripts.splat_cli.doctor.report import as_json as to_json
    from scripts.splat_cli.doctor.report import lines, summary
    from scripts.splat_cli.stack_access import find_engine, open_stack

    def show(found: Verdict) -> Verdict:
        if not as_json:
            for line in lines(found):
                console.print(line, soft_wrap=True)
        return found

    if log:
        verdicts = [show(examine_log(file)) for file in log]
    else:
        verdicts = [show(one) for one in examine(open_stack(ROOT, stack))]
        if fix and any(one.action is Action.REDEPLOY for found in verdicts for one in found.findings):
            console.print("Deploying the stack again, with a refresh of what exists.")
            find_engine(ROOT, stack).change("up", sure=yes or stack == LOCAL)
            verdicts = [show(one) for one in examine(open_stack(ROOT, stack))]
        elif fix and any(one.findings for one in verdicts):
            console.print("--fix can do nothing here: the fixes above need you.")
    if as_json:
        print(json.dumps(to_json(verdicts), indent=2))
    else:
        console.print(summary(verdicts))
    if any(one.findings for one in verdicts):
        sys.exit(1)
