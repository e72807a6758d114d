"""The stages of a job in order: download, photos, sfm, train, export, upload. One function per stage.
Every failure leaves it as a JobError with its stage.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pycolmap  # noqa: F401 - before train/, whose runtime.py configures OpenMP pools that load later

from splat_worker.contract.job_input import JobInput, Preset
from splat_worker.contract.job_report import Device, Report
from splat_worker.errors import Code, JobError, Stage
from splat_worker.export.artifacts import export_scene
from splat_worker.export.files import Exported
from splat_worker.export.ground import Ground
from splat_worker.export.subject import find_subject
from splat_worker.hashing import sha256_of
from splat_worker.job.checkpoint import Checkpoint, fingerprint
from splat_worker.job.extras import Extras
from splat_worker.job.machine import find_device, reset_peak_memory
from splat_worker.job.quality import check_quality
from splat_worker.job.reporting import Outcome, build_report
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.limits import PHOTO_BYTES_USUAL, PHOTOS_MIN, check_room, cpu_count, need_of
from splat_worker.photos.reject import Reject
from splat_worker.photos.validation import Prepared, Source, most_blurred, prepare
from splat_worker.progress import Event, OnEvent
from splat_worker.scene import PosedPhotos
from splat_worker.sfm.cameras import reconstruct, reusable, shaping_settings
from splat_worker.sfm.frame.earth import find_earth
from splat_worker.sfm.frame.evidence import Tags
from splat_worker.sfm.frame.similarity import Similarity, find_frame, transform
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.sparse import SparseModel
from splat_worker.sfm.undistort import posed_photos
from splat_worker.train.backends import choose
from splat_worker.train.core.context import BackendUnavailable, OutOfMemory, TrainContext, Trained, TrainingFailed
from splat_worker.train.core.context import Device as TrainDevice
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.health.fitness import without
from splat_worker.train.render import render
from splat_worker.train.trainer import train
from splat_worker.transfer.delivery import Presigned
from splat_worker.transfer.transfer import Transfer
from splat_worker.video.expand import Expanded, File, expand, has_clips

log = logging.getLogger(__name__)

SIDE_PX: dict[tuple[str, Preset], int] = {
    ("cpu", Preset.PREVIEW): 1000,
    ("cpu", Preset.STANDARD): 1000,
    ("cpu", Preset.HIGH): 1400,
    ("cuda", Preset.PREVIEW): 1200,
    ("cuda", Preset.STANDARD): 1600,
    ("cuda", Preset.HIGH): 2400,
}
"""Longer side of the clean photos, for finding cameras and for training. At 1000 px all photos of our sets are placed;
at 800 px one is lost."""
EXTRACT_PX: dict[tuple[str, Preset], int] = {("cuda", Preset.PREVIEW): 1000, ("cuda", Preset.STANDARD): 1000}
"""Longer side at which features are found, if not the photos' own size. Of 50 phone photos at 1600 px all were placed
either way, in 27 s instead of 34 s, with errors of 1.10 px instead of 1.03 px (bench/gpu/README.md)."""
REGISTERED_WARN_SHARE = 0.7
CLIPS_SHARE = 0.8
"""Of the progress of the photos' stage, where there are clips: decoding takes longest."""


def run_input(job: JobInput, scratch: Path, on_event: OnEvent, transfer: Transfer) -> Report:
    """A cloud job: download, make the scene, upload. Raises JobError."""
    delivery = Presigned(transfer=transfer, outputs=job.outputs, checkpoint=job.checkpoint)
    run = JobRun(job=SceneJob.of(job), scratch=scratch, delivery=delivery, on_event=on_event)
    with run.stage(Stage.DOWNLOAD, f"Downloading {len(job.photos)} photos") as report:
        coming = sum(PHOTO_BYTES_USUAL if photo.bytes is None else photo.bytes for photo in job.photos)
        check_room(need_of(len(job.photos), coming, _side_px(run, find_device())), run.scratch)
        fetched = transfer.fetch_photos(
            job.photos,
            scratch / "download",
            on_progress=lambda done, total: report(done / total, f"Downloaded {done} of {total} photos"),
        )
    files = [
        File(source=Source(name=got.name, path=got.path), digest=got.sha256, frames_max=asked.frames_max)
        for got, asked in zip(fetched, job.photos, strict=True)
    ]
    return make_scene(run, files)


def run_folder(run: JobRun, sources: Sequence[Source]) -> Report:
    """A local job: photos and clips are on this machine."""
    with run.stage(Stage.DOWNLOAD, f"Reading {len(sources)} files"):
        files = [File(source=source, digest=_digest_of(source)) for source in sources]
    return make_scene(run, files)


def _digest_of(source: Source) -> str:
    """Of the file, and of its mask where it has one."""
    return _digest(source.path) + ("" if source.mask is None else f" {_digest(source.mask)}")


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:  # the next stage rejects the file and gives the reason
        return ""


@dataclass(frozen=True, kw_only=True)
class _Resumed:
    """The job's fingerprint and its checkpoint, if there is one. stage: the last stage that the checkpoint saves."""

    fingerprint: str
    checkpoint: Checkpoint | None

    @property
    def stage(self) -> Stage | None:
        if self.checkpoint is None:
            return None
        if self.checkpoint.train:
            return Stage.TRAIN
        return Stage.SFM if self.checkpoint.sparse else Stage.PHOTOS


def _load_checkpoint(run: JobRun, digests: Sequence[tuple[str, str]]) -> _Resumed:
    device = find_device()
    shaping = {"side_px": _side_px(run, device), "cameras": shaping_settings(_sfm_preset(run, device))}
    own = fingerprint(digests, {**run.job.settings(), **shaping})
    path = run.scratch / "resume.zip"
    if not run.delivery.keeps_checkpoints or not run.delivery.load_checkpoint(path):
        return _Resumed(fingerprint=own, checkpoint=None)
    checkpoint = Checkpoint.read(path, own)
    path.unlink(missing_ok=True)
    return _Resumed(fingerprint=own, checkpoint=checkpoint)


def _checked(resumed: _Resumed, prepared: Prepared) -> _Resumed:
    """Drops a checkpoint whose cameras or matches do not fit the valid photos."""
    saved = resumed.checkpoint
    if saved is None:
        return resumed
    if saved.sparse is not None:
        if {camera.name for camera in saved.sparse.cameras} <= {photo.name for photo in prepared.photos}:
            return resumed
    elif saved.matches is not None and (found := reusable(prepared.photos, saved.matches)) is not None:
        log.info("resuming with the features of %d photos and %d compared pairs", found.photos, found.pairs)
        return resumed
    log.warning("the checkpoint does not fit these photos; starting from the beginning")
    return replace(resumed, checkpoint=None)


def make_scene(run: JobRun, files: Sequence[File]) -> Report:
    """All stages after the download."""
    reset_peak_memory()
    device = find_device()
    _check_trainer(device)
    taken, prepared, resumed = _photos_stage(run, files, _side_px(run, device))
    resumed = _checked(resumed, prepared)
    with _blur_named(prepared), Extras(run, resumed.fingerprint) as extras:
        sparse = _sfm_stage(run, prepared, device, extras, resumed=resumed)
        extras.placed(sparse)
        placed = find_frame(sparse, {p.name: Tags(down=p.down, position=p.position) for p in prepared.photos})
        posed, trained = _train_stage(run, prepared, transform(sparse, placed), device, extras, resumed=resumed)
    ground = _ground(run, prepared, posed, placed)
    exported = _export_stage(run, prepared, trained, posed, placed=placed, ground=ground, device=device)
    outcome = Outcome(
        given=taken.given,
        videos=taken.videos,
        prepared=prepared,
        sparse=sparse,
        up=placed.up,
        trained=trained,
        exported=exported,
        ground=ground,
        device=device,
        resumed_from=resumed.stage,
    )
    return _upload_stage(run, outcome)


@contextmanager
def _blur_named(prepared: Prepared) -> Iterator[None]:
    """Puts the blur of a set first where its photos made no scene: advice about its texture would not help."""
    try:
        yield
    except JobError as error:
        blurred = most_blurred(prepared.photos)
        if blurred and error.code in (Code.SFM_FAILED, Code.TRAINING_FAILED):
            message = (
                f"{blurred} of {len(prepared.photos)} photos are blurred or show only smooth surfaces. {error.message}"
            )
            raise JobError(error.code, message, stage=error.stage, hint=_SHARPER) from error
        raise


_SHARPER = (
    "Look at a photo at full size. If it is blurred, take the photos again in more light and hold the camera still. If"
    " it is sharp, put something patterned, such as a newspaper, under and beside the subject."
)


def _check_trainer(device: Device) -> None:
    """Before any work: a worker that cannot train fails at once, with the reason."""
    try:
        choose(TrainDevice(device.kind))
    except BackendUnavailable as error:
        log.exception("this worker cannot train")
        raise JobError(Code.INTERNAL, f"This worker cannot train: {error}.") from error


def _side_px(run: JobRun, device: Device) -> int:
    return run.job.sfm.side_max_px or SIDE_PX[device.kind, run.job.preset]


def _sfm_preset(run: JobRun, device: Device) -> SfmPreset:
    return SfmPreset(
        matching=run.job.sfm.matching,
        threads=cpu_count(),
        gpu="cuda" if device.kind == "cuda" else None,
        extract_max_px=EXTRACT_PX.get((device.kind, run.job.preset)),
    )


def _photos_stage(run: JobRun, files: Sequence[File], side_px: int) -> tuple[Expanded, Prepared, _Resumed]:
    clips_share = CLIPS_SHARE if has_clips(files) else 0.0
    with run.stage(Stage.PHOTOS, "Checking the photos") as report:
        taken = expand(
            files,
            run.scratch / "frames",
            side_max_px=side_px,
            seconds_left=None if run.deadline is None else run.deadline - run.clock(),
            on_progress=lambda share, text: report(clips_share * share, text),
        )
        resumed = _load_checkpoint(run, taken.digests)
        check_room(need_of(len(taken.sources), 0, side_px), run.scratch)
        prepared = prepare(
            taken.sources,
            run.scratch / "photos",
            side_max_px=side_px,
            on_progress=lambda done, total: report(
                clips_share + (1.0 - clips_share) * done / total, f"Checked {done} of {total} photos"
            ),
        )
        prepared = replace(prepared, rejected=(*taken.rejected, *prepared.rejected))
        if len(prepared.photos) < PHOTOS_MIN:
            raise _too_few(len(taken.given), prepared)
        return taken, prepared, resumed


def _too_few(given: int, prepared: Prepared) -> JobError:
    """TOO_FEW_PHOTOS, or PHOTO_UNREADABLE if most files are no photos."""
    unreadable = [r for r in prepared.rejected if r.code in (Reject.UNREADABLE, Reject.NOT_A_PHOTO)]
    first = f" {prepared.rejected[0].name}: {prepared.rejected[0].reason}" if prepared.rejected else ""
    if given >= PHOTOS_MIN and len(unreadable) * 2 > given:
        return JobError(Code.PHOTO_UNREADABLE, f"{len(unreadable)} of {given} files are not readable photos.{first}")
    usable, more = len(prepared.photos), len(prepared.rejected) - 1
    if more > 0:
        first += f" {more} more {'were' if more > 1 else 'was'} left out."
    verb = "is" if usable == 1 else "are"
    return JobError(
        Code.TOO_FEW_PHOTOS,
        f"{usable} of {given} photos {verb} usable; a scene needs at least {PHOTOS_MIN}.{first}",
        hint=_REPLACE if given >= PHOTOS_MIN else None,
    )


_REPLACE = "Replace the photos that were left out. Each photo should overlap its neighbours by about two thirds."


def _sfm_stage(run: JobRun, prepared: Prepared, device: Device, extras: Extras, *, resumed: _Resumed) -> SparseModel:
    with run.stage(Stage.SFM, "Finding camera positions") as report:
        saved = resumed.checkpoint
        if saved and saved.sparse:
            report(1.0, "Camera positions restored from the checkpoint")
            run.warnings.extend(saved.sparse.notes)
            return saved.sparse
        sparse = reconstruct(
            _sfm_preset(run, device),
            prepared.photos,
            run.scratch / "sfm",
            on_progress=extras.finding,
            resume_from=saved.matches if saved else None,
            partial=saved.partial if saved else None,
            on_matches=extras.on_matches,
        )
        run.warnings.extend(sparse.notes)
        placed, given = len(sparse.cameras), len(prepared.photos)
        if placed < REGISTERED_WARN_SHARE * given:
            run.warnings.append(
                f"Only {placed} of {given} photos are in the scene. Parts of the subject may be missing."
            )
        return sparse


def _train_stage(
    run: JobRun,
    prepared: Prepared,
    sparse: SparseModel,
    device: Device,
    extras: Extras,
    *,
    resumed: _Resumed,
) -> tuple[PosedPhotos, Trained]:
    with run.stage(Stage.TRAIN, "Starting training"):
        photos = {photo.name: photo for photo in prepared.photos}
        masks = {name: photo.mask for name, photo in photos.items() if photo.mask is not None}
        posed = posed_photos(sparse, {name: photo.path for name, photo in photos.items()}, masks)
        run.warnings.extend(_about_masks(posed, masks))
        try:
            preset = resolve_preset(
                PresetName(run.job.preset.value),
                TrainDevice(device.kind),
                len(posed.views),
                run.job.train.as_dict(),
            )
        except ValueError as error:
            raise JobError(Code.BAD_INPUT, f"{error}.") from None
        context = TrainContext(
            device=TrainDevice(device.kind),
            seed=run.job.seed,
            on_progress=extras.training,
            on_snapshot=extras.on_snapshot,
            deadline_s=run.train_deadline(preset.gaussians_max),
            clock=run.clock,
            resume=resumed.checkpoint.train if resumed.checkpoint else None,
            on_checkpoint=extras.on_checkpoint,
            warn=run.warnings.append,
        )
        try:
            trained = train(posed, preset, context)
        except OutOfMemory as error:
            raise JobError(Code.OUT_OF_MEMORY, "Training needs more memory than the worker has.") from error
        except TrainingFailed as error:
            raise JobError(Code.TRAINING_FAILED, str(error)) from error
        check_quality(trained.metrics, shortened=trained.steps < preset.steps)
        return without(posed, trained.left_out), trained


def _about_masks(posed: PosedPhotos, masked: Collection[str]) -> list[str]:
    """What the owner of photos with masks should know about the scene."""
    if not masked or posed.cut_out:
        return []
    without_mask = sum(view.name not in masked for view in posed.views)
    if not without_mask:
        return []
    return [
        f"{without_mask} of {len(posed.views)} photos have no mask. What the masks hide was left out of training, but"
        " the scene has its surroundings. Mask every photo to get the subject alone."
    ]


def _ground(run: JobRun, prepared: Prepared, posed: PosedPhotos, placed: Similarity) -> Ground:
    """Subject, size and place, as far as the photos tell them."""
    positions = {photo.name: photo.position for photo in prepared.photos}
    centres = np.stack([view.camera.centre for view in posed.views])
    # Size and place take the vertical for granted.
    earth = find_earth(centres, [positions.get(view.name) for view in posed.views]) if placed.up.known else None
    subject = find_subject(posed)
    if run.job.subject and subject is None:
        run.warnings.append("No subject was found that most photos show. The scene has its surroundings.")
    return Ground(
        subject=subject,
        only_subject=run.job.subject and subject is not None,
        earth=earth,
        with_place=run.job.place,
    )


def _export_stage(
    run: JobRun,
    prepared: Prepared,
    trained: Trained,
    posed: PosedPhotos,
    *,
    placed: Similarity,
    ground: Ground,
    device: Device,
) -> Exported:
    with run.stage(Stage.EXPORT, "Exporting the scene") as report:
        return export_scene(
            trained.gaussians,
            posed,
            run.scratch / "export",
            frame=placed,
            held_out=trained.metrics.names,
            sharpness={photo.name: photo.sharpness for photo in prepared.photos},
            render=partial(render, device=TrainDevice(device.kind)),
            wanted=run.delivery.wanted,
            threads=cpu_count(),
            ground=ground,
            on_progress=report,
        )


def _upload_stage(run: JobRun, outcome: Outcome) -> Report:
    """Uploads the report last: it holds the files' sizes and the seconds of this stage."""
    with run.stage(Stage.UPLOAD, "Saving the files") as progress:
        artifacts = run.delivery.deliver(outcome.exported.files)
        progress(0.9, f"Saved {len(artifacts)} files")
    report = build_report(run, outcome, artifacts)
    run.deliver_report(report)
    run.on_event(Event(stage=Stage.UPLOAD, fraction=1.0, message="Done"))
    return report
