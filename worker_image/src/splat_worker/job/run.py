"""One running job: its settings, clock and limit, and the stages it has completed with their seconds.
Adds the stage to every failure.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from splat_worker.contract.job_input import EditJobInput, JobInput, Preset, Price, SfmOptions, TrainOverrides
from splat_worker.contract.job_report import Report, StageReport
from splat_worker.errors import Code, JobError, Stage, as_job_error, time_limit_error
from splat_worker.job import cost
from splat_worker.progress import Event, OnEvent
from splat_worker.transfer.delivery import Delivery

log = logging.getLogger(__name__)

END_RESERVE_S = 12.0
END_RESERVE_S_PER_GAUSSIAN = 8e-5
"""Seconds of a time limit reserved for export and upload: writing and reading back both compressed files took 14 s for
200,000 Gaussians on two cores."""
TRAIN_LEAST_S = 5.0


@dataclass(frozen=True, kw_only=True)
class SceneJob:
    """What to make, independent of where photos come from and where files go. subject: leave out what is around the
    subject; place: write where on Earth the scene is into cameras.json."""

    project_id: str
    attempt: int = 1
    preset: Preset = Preset.PREVIEW
    train: TrainOverrides = field(default_factory=TrainOverrides)
    sfm: SfmOptions = field(default_factory=SfmOptions)
    seed: int = 0
    subject: bool = False
    place: bool = False
    price: Price | None = None
    seconds_max: float | None = None

    @classmethod
    def of(cls, job: JobInput) -> SceneJob:
        return cls(
            project_id=job.project_id,
            attempt=job.attempt,
            preset=job.preset,
            train=job.train,
            sfm=job.sfm,
            seed=job.seed,
            subject=job.subject,
            price=job.price,
            seconds_max=seconds_allowed(job),
        )

    def settings(self) -> dict[str, object]:
        """The settings that shape the result, for the checkpoint's fingerprint."""
        return {
            "preset": self.preset,
            "train": self.train.as_dict(),
            "sfm": self.sfm.model_dump(mode="json"),
            "seed": self.seed,
        }


def seconds_allowed(job: JobInput | EditJobInput) -> float | None:
    return cost.seconds_allowed(job.limits.max_seconds, job.limits.max_cost_usd, job.price)


@dataclass(kw_only=True)
class JobRun:
    """One running job: scratch folder, clock, delivery, and what its report collects."""

    job: SceneJob
    scratch: Path
    delivery: Delivery
    on_event: OnEvent
    clock: Callable[[], float] = time.monotonic
    stages: list[StageReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    started: float = 0.0

    def __post_init__(self) -> None:
        self.started = self.clock()

    @contextlib.contextmanager
    def stage(self, stage: Stage, message: str) -> Iterator[Callable[[float, str], None]]:
        """Times a stage, reports its start, and adds the stage to every failure."""
        if stage not in (Stage.EXPORT, Stage.UPLOAD):  # a finished scene is exported past the limit
            self.check_time(stage)
        began = self.clock()
        self.on_event(Event(stage=stage, fraction=0.0, message=message))
        try:
            yield lambda fraction, text: self.on_event(Event(stage=stage, fraction=fraction, message=text))
        except Exception as error:
            if not isinstance(error, JobError):
                log.exception("stage %s failed", stage)
            raise as_job_error(error, stage) from error
        self.stages.append(StageReport(stage=stage, seconds=round(self.clock() - began, 2)))

    def deliver_report(self, report: Report) -> None:
        """Saves report.json, the last file of a job: it holds the sizes of the others. Nothing if nobody wants it."""
        if "report.json" not in self.delivery.wanted:
            return
        path = self.scratch / "report.json"
        try:
            path.write_text(json.dumps(report.model_dump(mode="json"), indent=2, allow_nan=False))
            self.delivery.deliver({"report.json": path})
        except Exception as error:
            raise as_job_error(error, Stage.UPLOAD) from error

    @property
    def deadline(self) -> float | None:
        """Reading of `clock` at which the time limit ends."""
        return None if self.job.seconds_max is None else self.started + self.job.seconds_max

    def check_time(self, stage: Stage) -> None:
        if self.deadline is not None and self.clock() > self.deadline:
            raise time_limit_error(self.job.seconds_max).at(stage)

    def train_deadline(self, gaussians_max: int) -> float | None:
        """Reading of `clock` at which training must end. Raises TIME_LIMIT if too little time is left."""
        if self.deadline is None:
            return None
        end = self.deadline - END_RESERVE_S - END_RESERVE_S_PER_GAUSSIAN * gaussians_max
        if end - self.clock() < TRAIN_LEAST_S:
            raise JobError(
                Code.TIME_LIMIT,
                f"Too little time is left for training: {self.clock() - self.started:.0f} of"
                f" {self.job.seconds_max:.0f} s are used up.",
            )
        return end
