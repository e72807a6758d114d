"""The stages of a job that applies an edit: download, export, upload. Raises JobError.
The scene's other files follow from scene.ply, so that every format holds the same Gaussians.
"""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import pycolmap  # noqa: F401 - before train/, whose runtime.py configures OpenMP pools that load later

from splat_worker.contract.edit import Edit, StartView
from splat_worker.contract.job_input import EditJobInput
from splat_worker.contract.job_report import Report
from splat_worker.edit.cameras import edited_cameras
from splat_worker.edit.recipe import apply_edit
from splat_worker.edit.turn import upright
from splat_worker.errors import Code, JobError, Stage
from splat_worker.export.files import write_files
from splat_worker.export.ply import read_ply
from splat_worker.job.edited.report import Edited, edited_report
from splat_worker.job.edited.views import start_camera, turned_view
from splat_worker.job.machine import find_device, reset_peak_memory
from splat_worker.job.run import JobRun, SceneJob, seconds_allowed
from splat_worker.limits import cpu_count
from splat_worker.progress import Event, OnEvent
from splat_worker.train.core.context import Device as TrainDevice
from splat_worker.train.render import render
from splat_worker.transfer.delivery import Presigned
from splat_worker.transfer.transfer import Transfer

log = logging.getLogger(__name__)

JSON_BYTES_MAX = 32 << 20


def run_edit(job: EditJobInput, scratch: Path, on_event: OnEvent, transfer: Transfer) -> Report:
    reset_peak_memory()
    base = scratch / "base"
    with_price = SceneJob(
        project_id=job.project_id, attempt=job.attempt, price=job.price, seconds_max=seconds_allowed(job)
    )
    delivery = Presigned(transfer=transfer, outputs=job.outputs)
    run = JobRun(job=with_price, scratch=scratch, delivery=delivery, on_event=on_event)
    with run.stage(Stage.DOWNLOAD, "Downloading the scene") as progress:
        base.mkdir()
        transfer.fetch("report.json", job.edit.report_url, base / "report.json", limit=JSON_BYTES_MAX)
        transfer.fetch("cameras.json", job.edit.cameras_url, base / "cameras.json", limit=JSON_BYTES_MAX)
        progress(0.1, "Downloading the scene")
        transfer.fetch("scene.ply", job.edit.scene_url, base / "scene.ply")
    edited = _edit_stage(run, job.edit.recipe, job.edit.base, base)
    with run.stage(Stage.UPLOAD, "Saving the files") as progress:
        artifacts = run.delivery.deliver(edited.exported.files)
        progress(0.9, f"Saved {len(artifacts)} files")
    report = edited_report(run, edited, artifacts)
    run.deliver_report(report)
    run.on_event(Event(stage=Stage.UPLOAD, fraction=1.0, message="Done"))
    return report


def _edit_stage(run: JobRun, recipe: Edit, base: int, folder: Path) -> Edited:
    device = find_device()
    with run.stage(Stage.EXPORT, "Applying the edit") as progress:
        try:
            before = Report.model_validate(_json(folder / "report.json"))
            given = read_ply(folder / "scene.ply")
            cameras, start = _cameras(_json(folder / "cameras.json"), recipe)
            camera = start_camera(cameras, start)
        except JobError:
            raise
        except Exception as error:
            log.exception("the scene's files are unreadable")
            message = f"The files of attempt {base} are damaged or incomplete, so they cannot be edited."
            raise JobError(Code.BAD_INPUT, message, hint="Make the scene again.") from error
        gaussians = apply_edit(given, recipe)
        exported = write_files(
            gaussians,
            camera,
            run.scratch / "export",
            wanted=run.delivery.wanted,
            render=partial(render, device=TrainDevice(device.kind)),
            threads=cpu_count(),
            cut_out=any(crop.keep == "inside" for crop in recipe.crops),
            on_progress=progress,
        )
        file = run.scratch / "export" / "cameras.json"
        file.write_text(json.dumps(cameras, separators=(",", ":"), allow_nan=False))
        progress(1.0, f"Kept {len(gaussians)} of {len(given)} Gaussians")
    return Edited(
        before=before,
        base=base,
        recipe=recipe,
        start=start,
        gaussians_before=len(given),
        gaussians=len(gaussians),
        exported=exported.with_file("cameras.json", file),
        device=device,
    )


def _cameras(content: dict[str, Any], recipe: Edit) -> tuple[dict[str, Any], StartView | None]:
    """cameras.json of the edited scene, and the recipe's start view in it."""
    cameras = edited_cameras(content, recipe)
    if recipe.up is None or recipe.start is None:
        return cameras, recipe.start
    return cameras, turned_view(recipe.start, upright(recipe.up))


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
