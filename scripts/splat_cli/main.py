"""The `splat` command. Data goes to stdout, everything else to stderr.
Parses and prints; the modules beside it do the work."""

from __future__ import annotations

import errno
import json
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from common.stop_signals import stop_as_ctrl_c
from scripts.splat_cli.backup.command import backup, restore
from scripts.splat_cli.doctor.command import doctor
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.edit.command import edit, scale
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.logs.command import logs
from scripts.splat_cli.operate import commands as operate
from scripts.splat_cli.options import ROOT, JsonOption, MaxCostOption, SceneArgument, StackOption, YesOption, console
from scripts.splat_cli.photos import check_folder
from scripts.splat_cli.shell import command as shell
from scripts.splat_cli.show import report_table, scene_lines
from scripts.splat_cli.smoke.command import smoke
from scripts.splat_cli.stack import LOCAL, Engine, check_stack, up_hint
from scripts.splat_cli.stack_access import find_engine, open_edge
from scripts.splat_cli.verify_live.command import verify_live

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
SAMPLES = ROOT / "samples/photos"
INTERRUPTED = 130  # a shell's exit code for a command that Ctrl-C ended; SIGTERM and SIGHUP end ours the same way

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

PresetOption = Annotated[str, typer.Option("--preset", "-p", help="preview, standard or high")]


@app.command()
def up(
    *,
    stack: StackOption = LOCAL,
    photos: Annotated[Path | None, typer.Option(help="Photos of the first scene; default: the sample photos")] = None,
    preset: PresetOption = "preview",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the local app; default: 8787 or the next free port")
    ] = None,
    scene: Annotated[bool, typer.Option(help="Make a first scene after deploying (local stack only)")] = True,
    yes: YesOption = False,
) -> None:
    """Deploy a stack after a confirmation. The local stack needs none, and gets a first scene."""
    check_stack(ROOT, stack)
    if photos is not None:
        photos = check_folder(photos)
    if stack != LOCAL:
        Engine(root=ROOT, stack=stack).change("up", sure=yes)
        return
    from scripts.splat_cli import local

    outputs = local.up(ROOT, console=console, app_port=port)
    with _client_of(outputs) as client:
        if scene:
            _first_scene(client, photos, preset=preset)
        console.print(f"\nSign in (works once, for 10 minutes): {client.login_link()}", markup=False, soft_wrap=True)
    console.print("New link: .venv/bin/splat open · own photos: make up PHOTOS=dir · remove: make down", soft_wrap=True)


def _first_scene(client: EdgeClient, photos: Path | None, *, preset: str) -> None:
    """Make the scene of the sample photos or of a folder; print its report on stderr."""
    from scripts.splat_cli import local

    folder = photos or SAMPLES
    name = "Still life (samples)" if photos is None else folder.resolve().name
    done = local.scene(ROOT, client, folder, name=name, preset=preset, console=console)
    console.print()
    console.print(report_table(done.report or {}, title=done.name, names=client.photo_names(done.id)))


@app.command()
def down(stack: StackOption = LOCAL, yes: YesOption = False) -> None:
    """Destroy a stack after a confirmation. The local stack needs none."""
    check_stack(ROOT, stack)
    if stack != LOCAL:
        Engine(root=ROOT, stack=stack).change("destroy", sure=yes)
        return
    from scripts.splat_cli import local

    local.down(ROOT, console=console)


@app.command()
def adopt(
    *,
    stack: StackOption = LOCAL,
    endpoint: Annotated[str | None, typer.Option(help="Name or ID of the RunPod endpoint")] = None,
    bucket: Annotated[str | None, typer.Option(help="Name of the R2 bucket")] = None,
    script: Annotated[str | None, typer.Option(help="Name of the Worker script")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what exists; write nothing")] = False,
    as_json: JsonOption = False,
) -> None:
    """Adopt an existing endpoint, bucket or script. Writes the keys, and shows what the next up changes."""
    from scripts.splat_cli.adopt.command import adopt as work
    from scripts.splat_cli.adopt.find import Wanted

    wanted = Wanted(endpoint=endpoint, bucket=bucket, script=script)
    found, changed = work(
        find_engine(ROOT, stack),
        wanted,
        show=lambda line: console.print(line, markup=False, soft_wrap=True),
        write=not dry_run,
    )
    if as_json:
        rows = [{"what": what, "name": name, "about": about} for what, name, about in found.rows]
        print(json.dumps({"found": rows, "config": found.keys, "changes": changed}, indent=2))
    elif not dry_run:
        console.print(f"Next: {up_hint(stack)}. After that the stack owns them, and destroying it deletes them.")


@app.command()
def reconstruct(
    folder: Annotated[Path, typer.Argument(help="Folder of photos and clips, or one clip", metavar="DIR")],
    *,
    stack: StackOption = LOCAL,
    preset: PresetOption = "preview",
    name: Annotated[str | None, typer.Option(help="Name of the scene; default: the name of the folder or clip")] = None,
    max_cost: MaxCostOption = None,
    subject: Annotated[bool, typer.Option("--subject", help="Show the subject without its surroundings")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a scene from a folder of photos and print its report."""
    from scripts.splat_cli.reconstruct import reconstruct as work
    from scripts.splat_cli.reconstruct import show_alone

    with open_edge(ROOT, stack) as client:
        place = folder.expanduser().resolve()
        title = name or (place.stem if place.is_file() else place.name)
        done = work(client, folder, name=title, preset=preset, usd_max=max_cost, console=console)
        names = client.photo_names(done.id)
        if subject and (sentence := show_alone(client, done.id)):
            console.print(f"  {sentence}", markup=False, soft_wrap=True)
    report = done.report or {}
    if as_json:
        print(json.dumps(report, indent=2))
        return
    console.print()
    console.print(report_table(report, title=done.name, names=names))


@app.command()
def scenes(stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """List the scenes of a deployment."""
    with open_edge(ROOT, stack) as client:
        found = client.projects()
    if as_json:
        print(json.dumps([item.model_dump(mode="json") for item in found], indent=2))
        return
    for line in scene_lines(found):
        print(line)
    if not found:
        console.print("No scenes yet: splat reconstruct DIR")


@app.command()
def show(project: SceneArgument, stack: StackOption = LOCAL, as_json: JsonOption = False) -> None:
    """Print a scene's report, progress or error. A report has quality, stages, price and notes."""
    with open_edge(ROOT, stack) as client:
        found = client.project(project)
        names = client.photo_names(project) if found.report else {}
    if as_json:
        print(json.dumps(found.model_dump(mode="json"), indent=2))
    elif found.report:
        console.print(report_table(found.report, title=found.name, names=names))
    elif found.error:
        raise CommandError(
            f"{found.name}: {found.error.message}", hint=found.error.hint or "make it again from the app"
        )
    else:
        stage = f", {found.progress.stage} {found.progress.fraction:.0%}" if found.progress else ""
        console.print(f"{found.name}: {found.state}{stage}", markup=False)


@app.command()
def delete(
    project: SceneArgument,
    stack: StackOption = LOCAL,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
) -> None:
    """Delete a scene and its photos. Cancels its running job."""
    with open_edge(ROOT, stack) as client:
        found = client.project(project)
        if not yes and not sys.stdin.isatty():
            raise CommandError(
                f"{found.name} was not deleted: no terminal to confirm on.", hint="add --yes to delete it"
            )
        if not yes:
            typer.confirm(f"Delete {found.name} ({found.photos.count} photos, {found.state}) permanently?", abort=True)
        client.delete_project(project)
    console.print(f"Deleted {found.name}.", markup=False)


@app.command()
def download(
    project: SceneArgument,
    folder: Annotated[Path, typer.Argument(help="Folder for the files")],
    stack: StackOption = LOCAL,
) -> None:
    """Download all files of a scene."""
    with open_edge(ROOT, stack) as client:
        found = client.project(project)
        if not found.artifacts:
            raise CommandError(
                f"Scene {project} has no files (state {found.state}).",
                hint="splat scenes shows which scenes are done",
            )
        folder.mkdir(parents=True, exist_ok=True)
        # The report lists the other files with their digests, so it cannot list itself.
        for name in sorted({*found.artifacts, "report.json"}):
            console.print(f"  {client.download(project, name, folder)}", markup=False)


@app.command(name="open")
def open_(stack: StackOption = LOCAL) -> None:
    """Print a sign-in link and open it in a browser. The link works once."""
    with open_edge(ROOT, stack) as client:
        link = client.login_link()
    print(link)
    if sys.stdout.isatty() and os.environ.get("DISPLAY", sys.platform == "darwin"):
        webbrowser.open(link)


@app.command()
def outputs(
    stack: StackOption = LOCAL,
    as_json: JsonOption = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="Print secrets in plain text")] = False,
) -> None:
    """Print the outputs of a stack, with secrets masked."""
    found = find_engine(ROOT, stack).outputs(show_secrets=show_secrets)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for key, value in sorted(found.items()):
        print(f"{key}: {value}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def pulumi(context: typer.Context, stack: StackOption = LOCAL) -> None:
    """Run a pulumi command on a stack. For example: splat pulumi preview --diff."""
    if not context.args:
        raise CommandError("No pulumi command was given.", hint="for example: splat pulumi preview --diff")
    find_engine(ROOT, stack).run(*context.args, passed_on=True)


def _client_of(outputs: dict[str, Any]) -> EdgeClient:
    return EdgeClient(outputs["appUrl"], outputs["operatorToken"])


operate.add_to(app)
app.command()(backup)
app.command()(restore)
app.command()(doctor)
app.command()(edit)
app.command()(scale)
app.command()(logs)
app.command()(smoke)
app.command()(verify_live)
shell.add_to(app)


def main() -> None:
    """Entry point: an error is shown as a message and a hint, never as a traceback."""
    stop_as_ctrl_c()
    try:
        # Without standalone mode typer returns an exit code instead of leaving: 130 after Ctrl-C.
        code = app(prog_name="splat", standalone_mode=False)
    except TyperException as error:
        wrong_usage: Any = error  # a wrong option or argument: shows the usage and the reason
        wrong_usage.show()
        raise SystemExit(1) from None
    except CommandError as error:
        print(error.message, file=sys.stderr)
        print(f"hint: {error.hint}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        print(f"The disk is full: {error.filename or error.strerror}.", file=sys.stderr)
        print("hint: free some disk space, then run the same command to continue", file=sys.stderr)
        raise SystemExit(1) from None
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        print("\nStopped. Run the same command to continue, or `make down` to remove everything.", file=sys.stderr)
    raise SystemExit(code or 0)
