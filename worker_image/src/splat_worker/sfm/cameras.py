"""Structure from motion from the first feature to the last camera: a camera for each photo, or the reason why not.
Runs the stages in order and reports their progress; each stage is a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import pycolmap

from splat_worker.contract.job_report import Rejected
from splat_worker.errors import Code, JobError
from splat_worker.limits import PHOTOS_MIN
from splat_worker.photos.validation import Photo
from splat_worker.progress import silent
from splat_worker.sfm.brightness import brightness
from splat_worker.sfm.diagnosis import (
    LEARNED_NOTE,
    ONE_SPOT,
    STILL_BACKGROUND,
    STILL_BACKGROUND_NOTE,
    TROUBLE_BY_FAULT,
    Overlap,
    Trouble,
    Unplaced,
    advice,
    diagnose,
    tally,
    unsure_note,
)
from splat_worker.sfm.features.extract import FEATURES_MAX, extract_features
from splat_worker.sfm.learned import rung as learned
from splat_worker.sfm.mapping.ladder import GPU_RUNG, LADDER, Climbed, Ladder
from splat_worker.sfm.mapping.mapper import RANDOM_SEED
from splat_worker.sfm.mapping.positions import Metres
from splat_worker.sfm.matching.motion import Lens, from_one_spot, still_background
from splat_worker.sfm.matching.pairs import Ways, local_metres
from splat_worker.sfm.matching.rounds import compare_photos
from splat_worker.sfm.matching.still import without_still_matches
from splat_worker.sfm.matching.verified import read_verified
from splat_worker.sfm.preset import OnProgress, SfmPreset
from splat_worker.sfm.resume import PartialModel, Reusable, reusable_work
from splat_worker.sfm.sparse import SparseCamera, SparseModel

pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value  # a rung without a model is a result here, not an error

TRACK_MIN = 2
POINT_ERROR_MAX_PX = 2.0
LADDER_END = 0.85
"""Share of the progress at which the ladder ends where learned features may follow."""


class OnMatches(Protocol):
    """The match database has grown. Nobody writes into it during the call.
    complete: all pairs are verified and mapping begins; partial: cameras placed from it so far."""

    def __call__(self, database: Path, *, complete: bool, partial: PartialModel | None = None) -> None: ...


def shaping_settings(preset: SfmPreset) -> dict[str, object]:
    """Everything that shapes a match database and its cameras, besides the photos and the job's own settings. A search
    with other values must not resume from it."""
    return {
        "colmap": pycolmap.__version__,
        "features_max": FEATURES_MAX,
        "extract_max_px": preset.extract_max_px,
        "ladder": [asdict(rung) for rung in (GPU_RUNG, *LADDER)],
        "learned": learned.settings(),
    }


def reusable(photos: Sequence[Photo], database: Path) -> Reusable | None:
    """What `reconstruct` can skip if it resumes from this match database; None if it cannot resume from it."""
    return reusable_work(database, photos)


def reconstruct(
    preset: SfmPreset,
    photos: Sequence[Photo],
    work_dir: Path,
    *,
    on_progress: OnProgress = silent,
    resume_from: Path | None = None,
    partial: PartialModel | None = None,
    on_matches: OnMatches | None = None,
) -> SparseModel:
    """Find a camera for every photo, and sparse points. Raises SFM_FAILED with advice if too few cameras are found.

    work_dir: empty folder for the match database; all photos lie in one folder. resume_from: a copy of a database that
    on_matches received and that `reusable` accepts; it is moved into work_dir. partial: the partial model that
    on_matches received with that database.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    database = work_dir / "matches.db"
    if resume_from is not None:
        resume_from.replace(database)
    pycolmap.set_random_seed(RANDOM_SEED)

    def step(begin: float, *, last: bool) -> OnProgress:
        def report(fraction: float, message: str) -> None:
            on_progress(begin + 0.35 * fraction, message)
            if on_matches is not None:
                on_matches(database, complete=last and fraction >= 1.0)

        return report

    extract_features(preset, photos, database, step(0.0, last=False))
    ways, pairs = compare_photos(preset, photos, database, work_dir, on_progress=step(0.35, last=True))
    lenses = {p.path.name: Lens(width=p.width, height=p.height, focal_px=p.focal_px) for p in photos}
    mapped, verified = database, read_verified(database)
    trouble: Trouble | None = None
    if still_background(verified, lenses):
        trouble = STILL_BACKGROUND
        mapped = without_still_matches(database, work_dir / "moving.db", lenses)
        verified = read_verified(mapped)
    elif from_one_spot(verified, lenses):
        raise _no_scene(photos, (), ONE_SPOT)
    end = LADDER_END if len(photos) <= learned.PHOTOS_MAX else 1.0
    climbed = Ladder(
        photos=photos,
        database=mapped,
        work_dir=work_dir,
        pairs=verified,
        positions=positions_of(photos),
        on_progress=lambda f, m: on_progress(0.7 + (end - 0.7) * f, m),
        on_partial=on_matches and (lambda placed: on_matches(database, complete=True, partial=placed)),
        gpu=preset.gpu,
    ).climb(partial)
    if trouble is None:
        climbed, mapped = learned.LearnedRung(
            preset=preset,
            photos=photos,
            database=mapped,
            work_dir=work_dir / "learned",
            positions=positions_of(photos),
            on_progress=lambda f, m: on_progress(end + (1.0 - end) * f, m),
        ).climb(climbed)
    return _scene_of(climbed, photos, mapped, ways=ways, pairs=pairs, threads=preset.threads, trouble=trouble)


def _scene_of(
    climbed: Climbed,
    photos: Sequence[Photo],
    database: Path,
    *,
    ways: Ways,
    pairs: int,
    threads: int,
    trouble: Trouble | None,
) -> SparseModel:
    """The best model as plain arrays. Raises SFM_FAILED with the reason if it has too few cameras."""
    best = climbed.best
    model = best.model if best else None
    placed = {image.name for image in model.images.values() if image.has_pose} if model else set()
    rejected = diagnose(photos, placed, _overlaps(photos, database), best.misplaced if best else None)
    if best is None or model is None or len(placed) < PHOTOS_MIN:
        if trouble is None and climbed.fault is not None and _overlap_enough(rejected):
            trouble = TROUBLE_BY_FAULT[climbed.fault]
        raise _no_scene(photos, rejected, trouble, placed=len(placed))
    model.extract_colors_for_all_images(photos[0].path.parent, num_threads=threads)
    return _as_sparse(
        model,
        photos,
        rung=best.rung,
        ways=ways,
        pairs=pairs,
        tried=dict(climbed.tried),
        rejected=rejected,
        notes=_notes(best.rung, trouble, _seen(model, photos)),
    )


def _seen(model: pycolmap.Reconstruction, photos: Sequence[Photo]) -> dict[str, int]:
    """Points that each placed photo sees, by its name."""
    names = {photo.path.name: photo.name for photo in photos}
    return {names[image.name]: int(image.num_points3D) for image in model.images.values() if image.has_pose}


def _notes(rung: str, trouble: Trouble | None, seen: Mapping[str, int]) -> tuple[str, ...]:
    """What the owner of the photos should know about the cameras."""
    notes = (
        STILL_BACKGROUND_NOTE if trouble is STILL_BACKGROUND else None,
        LEARNED_NOTE if rung.startswith(learned.LEARNED) else None,
        unsure_note(seen),
    )
    return tuple(note for note in notes if note is not None)


def _overlap_enough(rejected: Sequence[Rejected]) -> bool:
    """Whether most of the photos overlap, so that their overlap is not what is missing."""
    overlapping = sum(r.code in (Unplaced.NOT_PLACED, Unplaced.OTHER_GROUP, Unplaced.MISPLACED) for r in rejected)
    return 2 * overlapping > len(rejected)


def _no_scene(
    photos: Sequence[Photo], rejected: Sequence[Rejected], trouble: Trouble | None, *, placed: int = 0
) -> JobError:
    found = f"Found camera positions for {placed} of {len(photos)} photos; a scene needs at least {PHOTOS_MIN}."
    if trouble is not None:
        return JobError(Code.SFM_FAILED, f"{found} {trouble.message}", hint=trouble.hint)
    return JobError(Code.SFM_FAILED, f"{found}{tally(rejected)}", hint=advice(rejected))


def positions_of(photos: Sequence[Photo]) -> dict[str, Metres]:
    """East, north and up in m of the photos with position tags, by file name."""
    metres = local_metres([photo.position for photo in photos])
    return {
        photo.path.name: (float(east), float(north), photo.position[2])
        for photo, (east, north) in zip(photos, metres, strict=True)
        if photo.position is not None
    }


def _overlaps(photos: Sequence[Photo], database: Path) -> dict[str, Overlap]:
    """Per photo (file name): its features and the verified matches with each other photo."""
    with pycolmap.Database.open(database) as db:
        names = {image.image_id: image.name for image in db.read_all_images()}
        keypoints = {name: db.num_keypoints_for_image(image_id) for image_id, name in names.items()}
        pair_ids, inliers = db.read_two_view_geometry_num_inliers()
    matches: dict[str, dict[str, int]] = {photo.path.name: {} for photo in photos}
    for pair_id, count in zip(pair_ids, inliers, strict=True):
        a, b = (names[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
        matches[a][b] = matches[b][a] = int(count)
    return {
        photo.path.name: Overlap(keypoints=keypoints.get(photo.path.name, 0), inliers=matches[photo.path.name])
        for photo in photos
    }


def _as_sparse(
    model: pycolmap.Reconstruction,
    photos: Sequence[Photo],
    *,
    rung: str,
    ways: Ways,
    pairs: int,
    tried: dict[str, int],
    rejected: tuple[Rejected, ...],
    notes: tuple[str, ...],
) -> SparseModel:
    by_file = {photo.path.name: photo for photo in photos}
    cameras, gains = [], brightness(model, photos)
    for image in sorted((i for i in model.images.values() if i.has_pose), key=lambda i: i.name):
        camera = model.cameras[image.camera_id]
        pose = np.eye(4)
        pose[:3, :4] = image.cam_from_world().matrix()
        focal_px, cx, cy, k1 = (float(p) for p in camera.params)
        gain, gain_of_tags = gains[by_file[image.name].name]
        cameras.append(
            SparseCamera(
                name=by_file[image.name].name, world_to_camera=pose, width=camera.width, height=camera.height,
                focal_px=focal_px, cx=cx, cy=cy, k1=k1, seen=image.num_points3D,
                gain=gain, gain_of_tags=gain_of_tags,
            )
        )  # fmt: skip
    points = [p for p in model.points3D.values() if p.error <= POINT_ERROR_MAX_PX and p.track.length() >= TRACK_MIN]
    return SparseModel(
        cameras=tuple(cameras),
        points=np.array([p.xyz for p in points], dtype=np.float32).reshape(-1, 3),
        colours=np.array([p.color for p in points], dtype=np.uint8).reshape(-1, 3),
        tracks=np.array([p.track.length() for p in points], dtype=np.int32),
        reprojection_error_px=float(model.compute_mean_reprojection_error()),
        rung=rung,
        matching=" + ".join(ways),
        pairs=pairs,
        tried=tried,
        rejected=rejected,
        notes=notes,
    )
