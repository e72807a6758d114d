"""Structure from motion from its first feature to its last camera: for each photo a camera, or a reason why not.
The stages and their share of the progress; each of them is a module of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np
import pycolmap

from splat_worker.contract.job_input import Matching
from splat_worker.errors import Code, JobError
from splat_worker.limits import PHOTOS_MIN
from splat_worker.photos.door import Photo
from splat_worker.progress import silent
from splat_worker.sfm.diagnosis import Partners, diagnose, tally
from splat_worker.sfm.features import FEATURES_MAX, extract_features, match_photos
from splat_worker.sfm.kept import Begun, Kept, what_it_spares
from splat_worker.sfm.ladder import LADDER, RANDOM_SEED, climb
from splat_worker.sfm.matching import Pairs, choose, pairs_of
from splat_worker.sfm.preset import OnProgress, SfmPreset
from splat_worker.sfm.sparse import SparseCamera, SparseModel

pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value  # an empty rung is a result here, not an error

TRACK_MIN = 2
POINT_ERROR_MAX_PX = 2.0


class OnMatches(Protocol):
    """A few more photos or pairs are in the match database, which nobody writes into during the call.
    complete: all pairs are compared and verified, and placing begins; begun: cameras placed from it so far."""

    def __call__(self, database: Path, *, complete: bool, begun: Begun | None = None) -> None: ...


def numbers(preset: SfmPreset) -> dict[str, object]:
    """What shapes a match database and the cameras that come of it, beside the photos and the job's own settings:
    work that was begun with other numbers is not gone on with."""
    return {
        "colmap": pycolmap.__version__,
        "features_max": FEATURES_MAX,
        "extract_max_px": preset.extract_max_px,
        "ladder": [asdict(rung) for rung in LADDER],
    }


def spared(preset: SfmPreset, photos: Sequence[Photo], copy: Path) -> Kept | None:
    """What `reconstruct` need not do again if it goes on from this copy of a match database; None: not to be used."""
    return what_it_spares(copy, photos, _pairs(preset, photos)[1])


def reconstruct(
    preset: SfmPreset,
    photos: Sequence[Photo],
    work_dir: Path,
    *,
    on_progress: OnProgress = silent,
    go_on_from: Path | None = None,
    begun: Begun | None = None,
    on_matches: OnMatches | None = None,
) -> SparseModel:
    """Find a camera for every photo, and sparse points. Raises SFM_FAILED with advice where too few are placed.

    work_dir: empty folder for the match database; all photos lie in one folder. go_on_from: a copy of that database as
    on_matches was given it, of which `spared` says that it is of use; it is moved into work_dir. begun: as on_matches
    was given it with that database.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    database = work_dir / "matches.db"
    if go_on_from is not None:
        go_on_from.replace(database)
    pycolmap.set_random_seed(RANDOM_SEED)

    def looked(fraction: float, message: str) -> None:
        on_progress(0.35 * fraction, message)
        if on_matches is not None:
            on_matches(database, complete=False)

    def compared(fraction: float, message: str) -> None:
        on_progress(0.35 + 0.35 * fraction, message)
        if on_matches is not None:
            on_matches(database, complete=fraction >= 1.0)

    extract_features(preset, photos, database, looked)
    matching, pairs = _pairs(preset, photos)
    match_photos(preset, photos, pairs, database, work_dir, on_progress=compared)
    best, rung, tried = climb(
        preset,
        photos,
        database,
        work_dir,
        lambda f, m: on_progress(0.7 + 0.3 * f, m),
        begun=begun,
        on_begun=on_matches and (lambda placed: on_matches(database, complete=True, begun=placed)),
    )
    placed = {image.name for image in best.images.values() if image.has_pose} if best else set()
    partners = _partners(photos, database)
    rejected = diagnose(photos, placed, partners)
    if best is None or len(placed) < PHOTOS_MIN:
        raise JobError(
            Code.SFM_FAILED,
            f"Cameras were found for {len(placed)} of {len(photos)} photos; a scene needs at least {PHOTOS_MIN}."
            f"{tally(rejected)}",
            hint=_advice([r.code for r in rejected]),
        )
    best.extract_colors_for_all_images(photos[0].path.parent, num_threads=preset.threads)
    return _as_sparse(best, photos, rung=rung, matching=matching, tried=tried, rejected=rejected)


def _pairs(preset: SfmPreset, photos: Sequence[Photo]) -> tuple[Matching, Pairs]:
    positions = [photo.position for photo in photos]
    matching = choose(preset.matching, positions)
    return matching, pairs_of(matching, positions)


def _partners(photos: Sequence[Photo], database: Path) -> dict[str, Partners]:
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
        photo.path.name: Partners(keypoints=keypoints.get(photo.path.name, 0), inliers=matches[photo.path.name])
        for photo in photos
    }


def _advice(codes: Sequence[str]) -> str | None:
    """One next step that fits the commonest reason; None keeps the general hint."""
    if not codes:
        return None
    commonest = max(set(codes), key=codes.count)
    return {
        "FEW_KEYPOINTS": "The photos show too little texture: put newspaper or another patterned thing under and"
        " beside the subject, and use more light.",
        "NO_PARTNER": "The photos overlap too little: take one every 10 to 15 degrees around the subject, so that"
        " two thirds of each picture are also in the next one.",
        "OTHER_GROUP": "The photos fall into groups that do not overlap: add photos between the groups.",
        "BLURRED": "The photos are blurred: hold still, use more light, or a faster shutter.",
    }.get(commonest)


def _as_sparse(
    model: pycolmap.Reconstruction,
    photos: Sequence[Photo],
    *,
    rung: str,
    matching: Matching,
    tried: dict[str, int],
    rejected: tuple,
) -> SparseModel:
    by_file = {photo.path.name: photo for photo in photos}
    cameras = []
    for image in sorted((i for i in model.images.values() if i.has_pose), key=lambda i: i.name):
        camera = model.cameras[image.camera_id]
        pose = np.eye(4)
        pose[:3, :4] = image.cam_from_world().matrix()
        focal_px, cx, cy, k1 = (float(p) for p in camera.params)
        cameras.append(
            SparseCamera(
                name=by_file[image.name].name, world_to_camera=pose, width=camera.width, height=camera.height,
                focal_px=focal_px, cx=cx, cy=cy, k1=k1, seen=image.num_points3D,
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
        matching=matching.value,
        tried=tried,
        rejected=rejected,
    )
