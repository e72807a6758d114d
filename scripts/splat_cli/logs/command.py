"""`splat logs`: parses and prints. The modules beside it do the work."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.options import ROOT, StackOption, console
from scripts.splat_cli.stack import LOCAL


def logs(
    *,
    stack: StackOption = LOCAL,
    job: Annotated[str | None, typer.Option("--job", help="Only the time and the events of this scene")] = None,
    worker: Annotated[str | None, typer.Option("--worker", help="Only this worker's log")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with what comes, until Ctrl-C")] = False,
    since: Annotated[str, typer.Option(help="How far back: 90m, 24h, 7d")] = "1h",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line")] = False,
) -> None:
    """Print logs of workers and events of the app, merged by time, with secrets masked."""
    from scripts.splat_cli.logs.events import Masker, json_of, text_of
    from scripts.splat_cli.logs.read import Reader, Wanted
    from scripts.splat_cli.operate.job_list import read_age
    from scripts.splat_cli.stack_access import open_stack

    if job and worker:
        raise CommandError("--job and --worker were both given.", hint="give one of them")
    wanted = Wanted(since=datetime.now(UTC) - read_age(since), job=job, worker=worker)
    access = open_stack(ROOT, stack)
    mask = Masker(access.secret_values())
    show = json_of if as_json else text_of
    runpod = access.runpod()
    try:
        with access.edge() as edge:
            reader = Reader(runpod, edge, access.endpoint_id, wanted)
            events = reader.follow() if follow else iter(reader.stored())
            count = 0
            for count, event in enumerate(events, 1):  # noqa: B007 - the count is used after the loop
                print(show(event, mask), flush=follow)
    finally:
        runpod.close()
    if not count:
        console.print(f"Nothing was logged in the last {since}. A worker's log ends with the worker.")
