"""`splat backup` and `splat restore`: parse, ask the engine and the app, print."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.options import ROOT, JsonOption, StackOption, console
from scripts.splat_cli.stack import LOCAL, Engine, up_hint

FileArgument = Annotated[Path, typer.Argument(help="A file that splat backup wrote", metavar="FILE")]


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="New file; default: STACK-TIME.backup in this folder", metavar="FILE")
    ] = None,
    *,
    stack: StackOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Save the scenes' data, the books and the stack's state in one file. Photos and scene files stay in the bucket."""
    from scripts.splat_cli.backup.file import Backup, new_id, write
    from scripts.splat_cli.stack_access import find_engine, read_stack

    engine = find_engine(ROOT, stack)
    access = read_stack(engine)
    now = datetime.now(UTC)
    with access.edge() as client:
        entries = tuple(client.backup_entries())
    made = Backup(
        id=new_id(), stack=stack, made_at=f"{now:%Y-%m-%dT%H:%M:%SZ}", entries=entries, state=engine.encrypted_export()
    )
    target = file or Path(f"{stack}-{now:%Y%m%dT%H%M%SZ}.backup")
    write(target, made, forbidden=access.secret_values())
    scenes, jobs, size = len(made.scenes()), made.jobs(), target.stat().st_size
    if as_json:
        print(json.dumps({"file": str(target), "scenes": scenes, "jobs": jobs, "bytes": size}, indent=2))
        return
    _say(f"Wrote {target} ({size / 1e6:.1f} MB): {scenes} scenes, {jobs} jobs, and the state of stack {stack}.")
    _say("Photos and scene files stay in the bucket. Secrets are encrypted or left out.")


def restore(
    file: FileArgument,
    *,
    stack: StackOption = LOCAL,
    state: Annotated[bool, typer.Option("--state", help="Restore the state of the stack, and not the scenes")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what exists. A scene whose job runs is kept")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore scenes and books into a deployment, or the state of a stack. Replaces nothing without --overwrite."""
    from scripts.splat_cli.backup.file import read
    from scripts.splat_cli.backup.restore import restore as work
    from scripts.splat_cli.stack_access import find_engine, open_edge

    found = read(file)
    if state:
        import_state(find_engine(ROOT, stack), found.state, of_stack=found.stack, overwrite=overwrite)
        _say(f"Restored the state of stack {stack}, as of {found.made_at}.")
        _say(f"Next: {up_hint(stack)}, which reads what exists, then restore the scenes if they are lost.")
        return
    with open_edge(ROOT, stack) as client:
        done = work(client, found, overwrite=overwrite)
    names = found.scenes()
    if as_json:
        print(json.dumps({"restored": done.restored, "kept": done.kept, "missing_files": done.missing}, indent=2))
        return
    kept = f" Kept {len(done.kept)} that exist." if done.kept else ""
    _say(f"Restored {len(done.restored)} scenes and {found.jobs()} jobs, as of {found.made_at}.{kept}")
    for scene, count in sorted(done.missing.items()):
        _say(f"  {names[scene]}: {count} of its files are not in the bucket.")


def import_state(engine: Engine, state: dict[str, Any] | None, *, of_stack: str, overwrite: bool) -> None:
    """Replace the state of a stack by one of a backup. Raises CommandError for another stack's state, and for a stack
    that has resources unless `overwrite`."""
    if state is None:
        raise CommandError("This backup holds no state.", hint="leave out --state to restore the scenes")
    if of_stack != engine.stack:
        raise CommandError(
            f"This backup holds the state of stack {of_stack}, not of {engine.stack}.",
            hint=f"add --stack {of_stack}, or leave out --state to restore its scenes here",
        )
    used = len((engine.encrypted_export().get("deployment") or {}).get("resources") or ())
    if used and not overwrite:
        raise CommandError(
            f"Stack {engine.stack} has a state with {used} resources.",
            hint="add --overwrite to replace it; resources that only the newer state knows are then orphans",
        )
    with tempfile.TemporaryDirectory(prefix="splat-restore-") as folder:
        file = Path(folder) / "state.json"
        file.write_text(json.dumps(state))
        engine.run("stack", "import", "--file", str(file), quiet=True)


def _say(line: str) -> None:
    console.print(line, markup=False, soft_wrap=True)
