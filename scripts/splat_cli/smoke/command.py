"""`splat smoke`: parses and prints. When the scene fails, the doctor's findings follow."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.options import ROOT, JsonOption, StackOption, console
from scripts.splat_cli.stack import LOCAL

if TYPE_CHECKING:
    from scripts.splat_cli.stack_access import StackAccess


def smoke(*, stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Make a tiny scene through the whole service and delete it. Prints seconds and price."""
    from scripts.splat_cli.show import seconds, usd
    from scripts.splat_cli.smoke.run import smoke as work
    from scripts.splat_cli.smoke.workers import check_workers
    from scripts.splat_cli.stack_access import open_stack

    access = open_stack(ROOT, stack)
    try:
        check_workers(access)
        with access.edge() as client:
            done = work(client, ROOT / "samples/photos", console=console)
    except CommandError:
        _findings(access)
        raise
    if as_json:
        print(json.dumps(dataclasses.asdict(done), indent=2))
        return
    kind = f"estimate for an {done.gpu}" if done.estimate else done.gpu
    console.print(
        f"The service works: {done.registered} of {done.photos} photos, {done.psnr_db:.1f} dB, in "
        f"{seconds(done.seconds)}, {usd(done.usd)} ({kind}). The scene was deleted.",
        soft_wrap=True,
    )


def _findings(access: StackAccess) -> None:
    """What the doctor finds, and nothing of what is healthy."""
    from scripts.splat_cli.doctor.examine import examine
    from scripts.splat_cli.doctor.report import lines, summary

    console.print("The smoke test failed. splat doctor:")
    verdicts = list(examine(access))
    for verdict in verdicts:
        if verdict.findings:
            for line in lines(verdict):
                console.print(line, soft_wrap=True)
    console.print(summary(verdicts))
