"""Applies an edit to a scene on this machine: `python -m splat_worker.edit SCENE.ply RECIPE.json OUT`. Trains nothing.
Writes scene.ply, scene.sog and scene.spz, and cameras.json if it is given. Exit status: 0 done, 1 user error, 2 ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from splat_worker.contract.edit import parse_edit
from splat_worker.edit.cameras import edited_cameras
from splat_worker.edit.recipe import apply_edit
from splat_worker.errors import Code, JobError, as_job_error
from splat_worker.export.ply import read_ply, write_ply
from splat_worker.export.sog import write_sog
from splat_worker.export.splat_transform import convert
from splat_worker.limits import cpu_count
from splat_worker.scene import Gaussians


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m splat_worker.edit", description="Applies an edit to a scene.")
    parser.add_argument("scene", type=Path, help="scene.ply as the worker made it")
    parser.add_argument("recipe", type=Path, help="the edit, docs/contracts/edit.schema.json")
    parser.add_argument("out", type=Path, help="folder for the edited files; created if missing")
    parser.add_argument("--cameras", type=Path, help="cameras.json of the scene, to edit along")
    options = parser.parse_args(argv)
    try:
        before, after = write_edited(options.scene, options.recipe, options.out, options.cameras)
    except Exception as error:
        failure = as_job_error(error, None)
        print(f"{failure.code.value}: {failure.message}\nhint: {failure.hint}", file=sys.stderr)
        return 1 if failure.code is Code.BAD_INPUT else 2
    print(f"{after} of {before} Gaussians are left. The files are in {options.out}.")
    return 0


def write_edited(scene: Path, recipe: Path, out: Path, cameras: Path | None) -> tuple[int, int]:
    """Returns the number of Gaussians before and after."""
    edit = parse_edit(_json(recipe))
    content = None if cameras is None else _json(cameras)
    given = _gaussians(scene)
    edited = apply_edit(given, edit)
    if out.resolve() == scene.resolve().parent:
        raise JobError(Code.BAD_INPUT, f"{out} holds the original scene.", hint="Choose another folder.")
    out.mkdir(parents=True, exist_ok=True)
    write_ply(out / "scene.ply", edited)
    write_sog(out / "scene.sog", edited, threads=cpu_count())
    convert(out / "scene.ply", out / "scene.spz", threads=cpu_count())
    if content is not None:
        cameras_json = edited_cameras(content, edit)
        (out / "cameras.json").write_text(json.dumps(cameras_json, separators=(",", ":"), allow_nan=False))
    return len(given), len(edited)


def _gaussians(path: Path) -> Gaussians:
    try:
        return read_ply(path)
    except Exception as error:
        hint = "Give the scene.ply that the worker made."
        raise JobError(Code.BAD_INPUT, f"{path} is not a readable scene ({type(error).__name__}).", hint=hint) from None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        hint = "Give a readable JSON file."
        raise JobError(Code.BAD_INPUT, f"{path} could not be read ({type(error).__name__}).", hint=hint) from None


if __name__ == "__main__":
    sys.exit(main())
