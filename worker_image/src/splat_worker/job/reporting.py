"""Builds the report of a finished job from the results of its stages.
Measures nothing and writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from splat_worker.contract.job_report import (
    Artifact,
    Device,
    Metrics,
    PhotosReport,
    Report,
    SfmReport,
    SizeReport,
    UpReport,
    VideoReport,
)
from splat_worker.errors import Stage
from splat_worker.export.files import Exported
from splat_worker.export.ground import Ground
from splat_worker.job import cost
from splat_worker.job.machine import versions
from splat_worker.job.run import JobRun
from splat_worker.limits import peak_memory_mb
from splat_worker.photos.validation import Prepared
from splat_worker.sfm.frame.evidence import Up
from splat_worker.sfm.sparse import SparseModel
from splat_worker.train.core.context import Trained

TILTED = "The scene may be tilted: the photos do not show clearly which way is up."


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of the stages. given: names of all photos, in order; videos: the clips that some are taken from."""

    given: tuple[str, ...]
    videos: tuple[VideoReport, ...] = ()
    prepared: Prepared
    sparse: SparseModel
    up: Up
    trained: Trained
    exported: Exported
    ground: Ground
    device: Device
    resumed_from: Stage | None


def build_report(run: JobRun, outcome: Outcome, artifacts: dict[str, Artifact]) -> Report:
    sparse, trained = outcome.sparse, outcome.trained
    return Report(
        project_id=run.job.project_id,
        attempt=run.job.attempt,
        preset=run.job.preset,
        device=outcome.device,
        photos=_photos(outcome),
        videos=outcome.videos,
        metrics=_metrics(outcome),
        sfm=SfmReport(
            rung=sparse.rung,
            matching=sparse.matching,
            pairs=sparse.pairs,
            points=len(sparse.points),
            tried=sparse.tried,
        ),
        up=UpReport(source=outcome.up.source.value, known=outcome.up.known, error_deg=finite(outcome.up.error_deg)),
        size=size_of(outcome.ground),
        artifacts=artifacts,
        stages=cost.itemise(run.stages, run.job.price),
        peak_memory_mb=max(peak_memory_mb(), trained.peak_memory_mb),
        price=cost.price_report(run.stages, run.job.price, on_gpu=outcome.device.kind == "cuda"),
        resumed_from=outcome.resumed_from,
        warnings=tuple(dict.fromkeys((*run.warnings, *tilted(outcome.up), *trained.notes, *_floaters(trained)))),
        versions=versions(),
    )


def size_of(ground: Ground) -> SizeReport | None:
    """Of the subject, or of the scene within one unit of its middle where no subject was found."""
    earth = ground.earth
    if earth is None:
        return None
    width, height = ground.subject.size if ground.subject is not None else (2.0, 2.0)
    return SizeReport(
        width_m=round(width * earth.metres_per_unit, 4),
        height_m=round(height * earth.metres_per_unit, 4),
        metres_per_unit=round(earth.metres_per_unit, 6),
        error=round(earth.error, 4),
        off_m=round(earth.off_m, 3),
        used=earth.used,
        given=earth.given,
    )


def tilted(up: Up) -> tuple[str, ...]:
    """The warning for a scene whose up direction is a guess."""
    return () if up.known else (TILTED,)


def _floaters(trained: Trained) -> tuple[str, ...]:
    if not trained.floaters_removed:
        return ()
    return (
        f"{trained.floaters_removed} Gaussians were removed because they were almost transparent or floated alone"
        " close to a camera.",
    )


def _photos(outcome: Outcome) -> PhotosReport:
    rejected = {r.name: r for r in (*outcome.prepared.rejected, *outcome.sparse.rejected)}
    return PhotosReport(
        given=len(outcome.given),
        registered=len(outcome.sparse.cameras),
        rejected=tuple(rejected[name] for name in outcome.given if name in rejected),
    )


def _metrics(outcome: Outcome) -> Metrics:
    held_out = outcome.trained.metrics
    return Metrics(
        psnr_db=finite(held_out.psnr_db),
        psnr_plain_db=finite(held_out.psnr_plain_db),
        psnr_fitted_db=finite(held_out.psnr_fitted_db),
        ssim=finite(held_out.ssim),
        gaussians=len(outcome.trained.gaussians),
        held_out=tuple(held_out.names),
        width=held_out.width,
        height=held_out.height,
        reprojection_error_px=finite(outcome.sparse.reprojection_error_px),
        steps=outcome.trained.steps,
        floaters_removed=outcome.trained.floaters_removed,
        export_fidelity_db=outcome.exported.fidelity_db,
    )


def finite(value: float) -> float | None:
    """None for NaN and infinities, which JSON cannot hold."""
    return round(float(value), 4) if math.isfinite(value) else None
