"""The report of an edited scene: that of the scene before, with what the edit and this job changed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from splat_worker.contract.edit import Edit, StartView
from splat_worker.contract.job_report import Artifact, Device, EditedReport, Report, SizeReport, UpReport
from splat_worker.export.files import Exported
from splat_worker.job import cost
from splat_worker.job.machine import versions
from splat_worker.job.reporting import TILTED
from splat_worker.job.run import JobRun
from splat_worker.limits import peak_memory_mb


@dataclass(frozen=True, kw_only=True)
class Edited:
    """before: the report of attempt `base`; start: the recipe's start view in the edited scene."""

    before: Report
    base: int
    recipe: Edit
    start: StartView | None
    gaussians_before: int
    gaussians: int
    exported: Exported
    device: Device


def edited_report(run: JobRun, edited: Edited, artifacts: dict[str, Artifact]) -> Report:
    """Photos, cameras and quality stay as they were measured. A turned scene has another height and width."""
    before, job = edited.before, run.job
    turned = edited.recipe.up is not None
    metrics = before.metrics.model_copy(
        update={"gaussians": edited.gaussians, "export_fidelity_db": edited.exported.fidelity_db}
    )
    return before.model_copy(
        update={
            "project_id": job.project_id,
            "attempt": job.attempt,
            "device": edited.device,
            "metrics": metrics,
            "up": UpReport(source="edit", known=True) if turned else before.up,
            "size": None if turned else _size(before, edited.recipe),
            "edited": EditedReport(
                base=edited.base,
                recipe=edited.recipe,
                gaussians_before=edited.gaussians_before,
                start=edited.start,
            ),
            "artifacts": artifacts,
            "stages": cost.itemise(run.stages, job.price),
            "peak_memory_mb": peak_memory_mb(),
            "price": cost.price_report(run.stages, job.price, on_gpu=edited.device.kind == "cuda"),
            "resumed_from": None,
            "warnings": tuple(one for one in before.warnings if not (turned and one == TILTED)),
            "versions": versions(),
        }
    )


def _size(before: Report, recipe: Edit) -> SizeReport | None:
    """Of the scene before, at the length that somebody measured. None without a subject that was measured before."""
    if recipe.scale is None or before.size is None:
        return before.size
    now = recipe.scale.metres_per_unit
    factor = now / before.size.metres_per_unit
    return SizeReport(
        width_m=round(before.size.width_m * factor, 4),
        height_m=round(before.size.height_m * factor, 4),
        metres_per_unit=round(now, 6),
    )
