"""Stands where the worker's pipeline is: the same stages, transfers, checkpoints and errors, without the work.

Training counts units. One stands for UNIT_S seconds of GPU work, and a checkpoint is saved every CHECKPOINT_UNITS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from splat_worker.contract.job_input import JobInput
from splat_worker.contract.job_report import Artifact, Report
from splat_worker.errors import JobError, Stage
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.progress import OnEvent
from splat_worker.transfer.delivery import Presigned
from splat_worker.transfer.transfer import Transfer
from tests.chaos.worker.acts import ACTS
from tests.chaos.worker.signs import log_work, pass_gate, take_act

USD = float(os.environ["REPORT_USD"])
BILLED_S = 10.0
ARTIFACTS = ("scene.ply", "scene.sog", "poster.webp", "cameras.json")
UNITS = 20
# Training waits at its gate in the middle.
GATE_UNIT = 10
CHECKPOINT_UNITS = 3


def run_input(job: JobInput, scratch: Path, on_event: OnEvent, transfer: Transfer) -> Report:
    """As splat_worker.job.pipeline.run_input: download, pass every stage, upload. Raises JobError."""
    delivery = Presigned(transfer=transfer, outputs=job.outputs, checkpoint=job.checkpoint)
    run = JobRun(job=SceneJob.of(job), scratch=scratch, delivery=delivery, on_event=on_event)
    log_work(job.project_id, "begins")
    try:
        with run.stage(Stage.DOWNLOAD, "download"):
            _pass(run, "download")
            transfer.fetch_photos(job.photos, scratch / "download")
            begin = _load(run)
        for stage in (Stage.PHOTOS, Stage.SFM):
            with run.stage(stage, stage.value):
                _pass(run, stage.value)
        with run.stage(Stage.TRAIN, "train") as report:
            _train(run, begin, report)
        with run.stage(Stage.EXPORT, "export"):
            _pass(run, "export")
            files = _export(run)
        with run.stage(Stage.UPLOAD, "upload"):
            _pass(run, "upload")
            delivered = _deliver(run, job, files)
        _pass(run, "result")
        return delivered
    finally:
        log_work(job.project_id, "ends")


def _pass(run: JobRun, stage: str) -> None:
    pass_gate(run.job.project_id, stage)
    act = take_act(run.job.project_id, stage)
    if act:
        ACTS[act](run.scratch)


def _load(run: JobRun) -> int:
    """The unit at which training begins."""
    path = run.scratch / "resume"
    return int(json.loads(path.read_text())["units"]) if run.delivery.load_checkpoint(path) else 0


def _train(run: JobRun, begin: int, report: Callable[[float, str], None]) -> None:
    log_work(run.job.project_id, f"resumes {begin}")
    for unit in range(begin, UNITS):
        if unit == GATE_UNIT:
            _pass(run, "train")
        log_work(run.job.project_id, f"unit {unit}")
        report((unit + 1) / UNITS, "train")
        if (unit + 1) % CHECKPOINT_UNITS == 0:
            _save(run, unit + 1)
    if begin > GATE_UNIT:
        _pass(run, "train")


def _save(run: JobRun, units: int) -> None:
    """As job.extras does: a checkpoint that cannot be saved does not fail the job."""
    path = run.scratch / "checkpoint"
    path.write_text(json.dumps({"units": units}))
    try:
        run.delivery.save_checkpoint(path)
    except JobError:
        log_work(run.job.project_id, f"refused {units}")
        return
    log_work(run.job.project_id, f"saved {units}")


def _export(run: JobRun) -> dict[str, Path]:
    files = {name: run.scratch / name for name in ARTIFACTS if name in run.delivery.wanted}
    for name, path in files.items():
        path.write_bytes(f"{name} of {run.job.project_id} ".encode() * 50)
    return files


def _deliver(run: JobRun, job: JobInput, files: dict[str, Path]) -> Report:
    """The artifacts, then the report as the last one."""
    report = Report.model_validate(_report(run, job, run.delivery.deliver(files)))
    path = run.scratch / "report.json"
    path.write_text(json.dumps(report.model_dump(mode="json")))
    run.delivery.deliver({"report.json": path})
    return report


def _report(run: JobRun, job: JobInput, artifacts: dict[str, Artifact]) -> dict[str, Any]:
    price = job.price
    assert price is not None
    return {
        "project_id": job.project_id,
        "attempt": job.attempt,
        "preset": job.preset.value,
        "device": {"kind": "cpu", "name": "chaos", "count": 1},
        "photos": {"given": len(job.photos), "registered": len(job.photos)},
        "metrics": {"psnr_db": 25.5, "ssim": 0.8, "gaussians": 1000, "held_out": [], "width": 64, "height": 48}
        | {"reprojection_error_px": 0.5},
        "artifacts": {name: one.model_dump() for name, one in artifacts.items()},
        "stages": [one.model_dump() for one in run.stages],
        "peak_memory_mb": 100,
        "price": {"usd": USD, "usd_per_s": price.usd_per_s, "gpu": price.gpu, "as_of": price.as_of}
        | {"billed_s": BILLED_S, "estimate": True},
        "versions": {"splat_worker": "chaos"},
    }
