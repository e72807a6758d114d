"""`splat edit`: store a recipe and apply it to the scene's files by a job, or on this machine; undo one, print it."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.edit.recipe import point, with_scale
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.options import ROOT, MaxCostOption, SceneArgument, StackOption, console
from scripts.splat_cli.reconstruct import watch
from scripts.splat_cli.show import length as size_words
from scripts.splat_cli.show import seconds, usd
from scripts.splat_cli.stack import LOCAL

WORKER_PYTHON = Path(".venv-worker/bin/python")


class Also(StrEnum):
    """Files that are made only on request."""

    GLB = "glb"
    HTML = "html"


def edit(
    project: SceneArgument,
    recipe: Annotated[
        Path | None, typer.Argument(help="JSON file of docs/contracts/edit.schema.json", metavar="RECIPE")
    ] = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Undo the last edit")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the recipe of the scene on stdout")] = False,
    also: Annotated[
        list[Also] | None, typer.Option("--also", help="Make this file besides, also without RECIPE; repeatable")
    ] = None,
    keep_files: Annotated[
        bool, typer.Option("--keep-files", help="Store RECIPE only, so that the page shows it and the files stay")
    ] = False,
    max_cost: MaxCostOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for edited copies of the files, made on this machine")
    ] = None,
    stack: StackOption = LOCAL,
) -> None:
    """Edit a finished scene by a recipe: crop, remove floaters, set up. A job then applies it to every file; the scene
    before stays, and the app can show it again."""
    from scripts.splat_cli.stack_access import open_edge

    applies = (recipe is not None and not keep_files and out is None) or bool(also)
    if (recipe is not None) + undo + show > 1 or not (recipe or undo or show or out or also):
        raise CommandError("splat edit does one thing at a time.", hint="give RECIPE, --undo, --show or --out DIR")
    if also and (undo or show or out):
        raise CommandError("--also starts a job.", hint="give it alone or with RECIPE")
    given = None if recipe is None else _read(recipe)
    with open_edge(ROOT, stack) as client:
        if undo:
            left = client.undo_edit(project)
            console.print(f"The last edit is undone. {left.edits} can still be undone.", markup=False)
        elif given is not None:
            client.edit(project, given)
            stays = "" if applies and changes_files(given) else " The scene's files stay as they are."
            console.print(f"The edit is saved.{stays}", markup=False)
        if applies and (also or (given is not None and changes_files(given))):
            apply_and_wait(client, project, [f"scene.{one}" for one in also or ()], usd_max=max_cost)
        now = client.project(project).edit
        if show:
            print(json.dumps(now, indent=2))
        if out is not None:
            if now is None:
                raise CommandError(f"Scene {project} has no edit.", hint="give a RECIPE, or edit the scene in the app")
            _apply(client, project, now, out)


def scale(
    project: SceneArgument,
    *,
    length: Annotated[float, typer.Option("--length", help="Real length between the points, in metres", min=1e-4)],
    start: Annotated[str, typer.Option("--from", help="One point of the scene", metavar="X,Y,Z")],
    end: Annotated[str, typer.Option("--to", help="The other point", metavar="X,Y,Z")],
    stack: StackOption = LOCAL,
) -> None:
    """Set the real size of a finished scene by a length that you know, as an edit. Points are in the frame of
    scene.ply, as an editor of splats shows them."""
    from scripts.splat_cli.stack_access import open_edge

    points = [point(start), point(end)]
    with open_edge(ROOT, stack) as client:
        recipe, metres_per_unit = with_scale(client.project(project).edit, points, length)
        client.edit(project, recipe)
    console.print(
        f"The edit is saved. One unit of the scene is {size_words(metres_per_unit)}."
        f" Files with this size: splat edit {project} --out DIR, or apply the edit in the app.",
        markup=False,
        soft_wrap=True,
    )


def changes_files(recipe: dict[str, Any]) -> bool:
    """A start view and a cover only change how a scene is shown."""
    return any(recipe.get(key) not in (None, []) for key in ("up", "crops", "floaters", "scale"))


def apply_and_wait(client: EdgeClient, project: str, also: list[str], *, usd_max: float | None) -> None:
    """Follow the job with a bar for each stage. Ctrl-C cancels it. Raises ServiceError, or CommandError if the recipe
    is at fault."""
    expected = client.edit_estimate(project)
    console.print(
        f"  about {seconds(round(expected.seconds))} and {usd(expected.usd)} on the GPU of this deployment",
        markup=False,
    )
    started = client.apply_edit(project, also=also, usd_max=usd_max)
    try:
        ended = watch(client, project, console, sleep=time.sleep)
    except KeyboardInterrupt:
        client.cancel(project)
        raise
    if ended.shown == started.attempt and ended.report is not None:
        left, before = ended.report["metrics"]["gaussians"], ended.report["edited"]["gaussians_before"]
        console.print(f"The files carry the edit: {left} of {before} Gaussians are left.", markup=False)
        return
    if ended.error is None:
        raise CommandError("The edit was cancelled. The files stay as they are.", hint="run the same command again")
    kind = CommandError if ended.error.code == "BAD_INPUT" else ServiceError
    raise kind(f"{ended.error.message} [{ended.error.code}]", hint=ended.error.hint or "run the same command again")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} could not be read: {error}.", hint="give a JSON file") from None
    if not isinstance(content, dict):
        raise CommandError(f"{path} holds no recipe.", hint="see docs/contracts/edit.json for an example")
    return content


def _apply(client: EdgeClient, project: str, recipe: dict[str, Any], out: Path) -> None:
    """Download the scene, and let the worker's own code write the edited files. Uploads nothing."""
    python = ROOT / WORKER_PYTHON
    if not python.is_file():
        raise CommandError(
            f"Editing files needs the worker's packages, and {WORKER_PYTHON} is missing.",
            hint="run scripts/bootstrap without --deploy-only",
        )
    with tempfile.TemporaryDirectory() as folder:
        scene, cameras = (client.download(project, name, Path(folder)) for name in ("scene.ply", "cameras.json"))
        file = Path(folder) / "recipe.json"
        file.write_text(json.dumps(recipe))
        command = [str(python), "-m", "splat_worker.edit", str(scene), str(file), str(out), "--cameras", str(cameras)]
        environment = {"PYTHONPATH": str(ROOT / "worker_image/src")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message, _, hint = done.stderr.strip().partition("\nhint: ")
        kind = CommandError if done.returncode == 1 else ServiceError
        raise kind(message.splitlines()[-1] if message else "The files could not be edited.", hint=hint or "try again")
    console.print(done.stdout.strip(), markup=False)
