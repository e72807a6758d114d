"""Structure from motion: features, matches, and a ladder of mappers of which the best model wins.
The only room that imports pycolmap for mapping; it never decides what a photo looks like or how a scene stands.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.agreement import share_of_matches_explained
from splat_worker.diagnosis import Partners, diagnose, tally
from splat_worker.errors import Code, JobError
from splat_worker.job import Matching
from splat_worker.limits import PHOTOS_MIN
from splat_worker.matching import Pairs, choose, pairs_of
from splat_worker.photos import Photo
from splat_worker.progress import silent
from splat_worker.sparse import SparseCamera, SparseModel

log = logging.getLogger(__name__)
pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value  # an empty rung is a result here, not an error

EXTRACT_CHUNK_PER_THREAD = 4
MATCH_CHUNK = 150
"""Photos and pairs handed to COLMAP at once, so that progress can be told every few seconds and all cores are busy."""
ENOUGH_SHARE = 0.7
"""From this share of placed photos on, a rung that brings nothing more ends the climb: the next ones cost minutes on
large sets and bring strangers a place that is not theirs."""
FEATURES_MAX = 8192
RANDOM_SEED = 0
TRACK_MIN = 2
POINT_ERROR_MAX_PX = 2.0
EXPLAINED_MIN = 0.85
"""Share of verified matches that a model of a later rung must explain (agreement.py: right ones 0.91 and more,
folded ones 0.74 to 0.78)."""
MODEL_ERROR_MAX_PX_PER_1000 = 1.2
"""Mean reprojection error above which a model of a later rung counts as wrong, per 1000 px of the longer side. Right
models of all sets we know come to 0.24 to 0.9; the global mapper once placed 12 of 12 photos, a third of the
scene's extent off, at 2.1 (1.34 px at 640 px)."""

OnProgress = Callable[[float, str], None]
OnMatches = Callable[[Path], None]


@dataclass(frozen=True, kw_only=True)
class SfmPreset:
    """matching: which pairs; threads: cores COLMAP may use; on_gpu: descriptors are compared on the GPU.

    extract_max_px: longer side at which features are looked for, None for the photos' own; cameras are those of the
    photos either way.
    """

    matching: Matching = Matching.AUTO
    threads: int = 2
    on_gpu: bool = False
    extract_max_px: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One attempt of the ladder; the incremental mapper unless `is_global`.

    init_min_angle_deg: between the first two cameras (COLMAP: 16); init_max_forward: share of their motion along the
    line of sight (COLMAP: 0.95); init_min_inliers: matches of the first pair (COLMAP: 100); pose_min_inliers: to
    place one more photo (COLMAP: 30); seeds: runs of the mapper, of which the first that places all is the last.
    """

    name: str
    init_min_angle_deg: float = 16.0
    init_max_forward: float = 0.95
    init_min_inliers: int = 100
    pose_min_inliers: int = 30
    is_global: bool = False
    seeds: int = 1


LADDER = (
    Rung(name="default"),
    Rung(name="relaxed", init_min_angle_deg=4.0, init_max_forward=1.0, init_min_inliers=30, pose_min_inliers=15),
    Rung(name="loose", init_min_angle_deg=1.5, init_max_forward=1.0, init_min_inliers=30, pose_min_inliers=15),
    Rung(name="global", is_global=True, seeds=3),
)
"""A walk along a street fails the first rung (2 of 29 photos: its first pair sees things ahead, nearly without an
angle) and passes the others. The global mapper takes a second and finds nothing with two seeds out of three on the
smallest of such sets, hence its three tries."""
RUNG_ENDS = (0.5, 0.75, 0.9, 1.0)
"""Share of the mapping's progress at which each rung ends: progress never falls back, however many are needed."""


def reconstruct(
    preset: SfmPreset,
    photos: Sequence[Photo],
    work_dir: Path,
    *,
    on_progress: OnProgress = silent,
    go_on_from: Path | None = None,
    on_matches: OnMatches | None = None,
) -> SparseModel:
    """Find a camera for every photo, and sparse points. Raises SFM_FAILED with advice where too few are placed.

    work_dir: empty folder for the match database; all photos lie in one folder. on_matches(database) is called
    whenever a few more photos or pairs are in it; go_on_from: a copy of such a database of the same photos, which is
    moved into work_dir.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    database = work_dir / "matches.db"
    if go_on_from is not None:
        go_on_from.replace(database)
    pycolmap.set_random_seed(RANDOM_SEED)

    def tell(start: float, share: float, *, closed: bool = True) -> OnProgress:
        def told(fraction: float, message: str) -> None:
            on_progress(start + share * fraction, message)
            if on_matches is not None and closed:
                on_matches(database)

        return told

    _extract(preset, photos, database, tell(0.0, 0.35))
    matching = choose(preset.matching, [photo.position for photo in photos])
    _match(preset, photos, matching, database, work_dir, on_progress=tell(0.35, 0.35, closed=not preset.on_gpu))
    best, rung, tried = _climb(preset, photos, database, work_dir, lambda f, m: on_progress(0.7 + 0.3 * f, m))
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


def _extract(preset: SfmPreset, photos: Sequence[Photo], database: Path, on_progress: OnProgress) -> None:
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = preset.threads
    options.sift.max_num_features = FEATURES_MAX
    options.max_image_size = preset.extract_max_px or -1
    with pycolmap.Database.open(database) as db:
        known = {image.name: int(image.camera_id) for image in db.read_all_images()}
    groups: dict[str, list[Photo]] = {}
    for photo in photos:
        groups.setdefault(photo.camera_key, []).append(photo)
    done = len(known)
    for group in groups.values():
        cameras = {known[photo.path.name] for photo in group if photo.path.name in known}
        camera_id = cameras.pop() if cameras else _write_camera(database, group)
        missing = [photo for photo in group if photo.path.name not in known]
        at_once = EXTRACT_CHUNK_PER_THREAD * preset.threads
        for start in range(0, len(missing), at_once):
            chunk = missing[start : start + at_once]
            reader = pycolmap.ImageReaderOptions()
            reader.existing_camera_id = camera_id
            pycolmap.extract_features(
                database,
                chunk[0].path.parent,
                image_names=[photo.path.name for photo in chunk],
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
            )
            done += len(chunk)
            on_progress(done / len(photos), f"Looking for features: {done} of {len(photos)} photos")


def _write_camera(database: Path, group: Sequence[Photo]) -> int:
    """One SIMPLE_RADIAL camera for photos of one lens setting; without a tag its focal length is a guess that
    the mapper may move freely (1.2 times the longer side, as COLMAP's own default)."""
    photo = group[0]
    focal_px = photo.focal_px or 1.2 * max(photo.width, photo.height)
    camera = pycolmap.Camera(
        model="SIMPLE_RADIAL",
        width=photo.width,
        height=photo.height,
        params=[focal_px, photo.width / 2, photo.height / 2, 0.0],
    )
    camera.has_prior_focal_length = photo.focal_px is not None
    with pycolmap.Database.open(database) as db:
        camera_id = db.write_camera(camera)
        camera.camera_id = camera_id
        rig = pycolmap.Rig()
        rig.add_ref_sensor(camera.sensor_id)
        db.write_rig(rig)
    return int(camera_id)


def _match(
    preset: SfmPreset,
    photos: Sequence[Photo],
    matching: Matching,
    database: Path,
    work_dir: Path,
    *,
    on_progress: OnProgress,
) -> None:
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = preset.threads
    pairs = pairs_of(matching, [photo.position for photo in photos])
    if preset.on_gpu:
        from splat_worker.sfm_gpu import match_pairs  # torch: only where a GPU is

        names = [(photos[i].path.name, photos[j].path.name) for i, j in pairs]
        match_pairs(database, names, device="cuda", threads=preset.threads, on_progress=on_progress)
        return
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = work_dir / "pairs.txt"
    missing = _not_compared(photos, pairs, database)
    before = len(pairs) - len(missing)
    for start in range(0, len(missing), MATCH_CHUNK):
        chunk = missing[start : start + MATCH_CHUNK]
        lines = [f"{photos[i].path.name} {photos[j].path.name}" for i, j in chunk]
        (work_dir / "pairs.txt").write_text("\n".join(lines) + "\n")
        pycolmap.match_image_pairs(
            database, matching_options=options, pairing_options=pairing, device=pycolmap.Device.cpu
        )
        done = before + start + len(chunk)
        on_progress(done / len(pairs), f"Comparing photos: {done} of {len(pairs)} pairs")


def _not_compared(photos: Sequence[Photo], pairs: Pairs, database: Path) -> Pairs:
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        of = [ids[photo.path.name] for photo in photos]
        return tuple((i, j) for i, j in pairs if not db.exists_two_view_geometry(of[i], of[j]))


def _climb(
    preset: SfmPreset, photos: Sequence[Photo], database: Path, work_dir: Path, on_progress: OnProgress
) -> tuple[pycolmap.Reconstruction | None, str, dict[str, int]]:
    """Try rungs until one places every photo (or most, and no more than the rung before); the best model of all."""
    best: pycolmap.Reconstruction | None = None
    best_rung, tried = "", {}
    for number, rung in enumerate(LADDER):
        started = time.monotonic()
        begin, end = (0.0, *RUNG_ENDS)[number], RUNG_ENDS[number]

        def within(fraction: float, message: str, begin: float = begin, end: float = end) -> None:
            on_progress(begin + (end - begin) * fraction, message)

        found = _run_rung(preset, rung, photos, database, work_dir, on_progress=within)
        models = [model for model in found if rung is LADDER[0] or _plausible(model, photos, database)]
        model = max(models, key=merit, default=None)
        tried[rung.name] = model.num_reg_images() if model else 0
        log.info(
            "rung %s placed %d of %d in %.1f s", rung.name, tried[rung.name], len(photos), time.monotonic() - started
        )
        before = best.num_reg_images() if best else 0
        if model is not None and (best is None or merit(model) > merit(best)):
            best, best_rung = model, rung.name
        placed = best.num_reg_images() if best else 0
        if placed == len(photos) or (placed == before and placed >= ENOUGH_SHARE * len(photos)):
            break
        if number + 1 < len(LADDER):
            on_progress(end, f"{placed} of {len(photos)} photos placed; trying {LADDER[number + 1].name} settings")
    return best, best_rung, tried


def _plausible(model: pycolmap.Reconstruction, photos: Sequence[Photo], database: Path) -> bool:
    """No scene is better than a wrong one: a folded model trains for minutes and shows fog."""
    side_px = max(max(photo.width, photo.height) for photo in photos)
    if model.compute_mean_reprojection_error() > MODEL_ERROR_MAX_PX_PER_1000 * max(side_px, 700) / 1000:
        return False
    return share_of_matches_explained(model, database) >= EXPLAINED_MIN


def merit(model: pycolmap.Reconstruction) -> tuple[int, float]:
    """Order of models: most photos first, then the lowest reprojection error."""
    return model.num_reg_images(), -model.compute_mean_reprojection_error()


def _run_rung(
    preset: SfmPreset,
    rung: Rung,
    photos: Sequence[Photo],
    database: Path,
    work_dir: Path,
    *,
    on_progress: OnProgress,
) -> list[pycolmap.Reconstruction]:
    out = work_dir / rung.name
    out.mkdir(exist_ok=True)
    images = photos[0].path.parent
    if rung.is_global:
        on_progress(0.1, "Placing all photos at once")
        found: list[pycolmap.Reconstruction] = []
        for seed in range(rung.seeds):
            options = pycolmap.GlobalPipelineOptions()
            options.num_threads = preset.threads
            options.random_seed = RANDOM_SEED + seed
            found += pycolmap.global_mapping(database, images, out, options=options).values()
            if any(model.num_reg_images() == len(photos) for model in found):
                break
        return found
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = preset.threads
    options.random_seed = RANDOM_SEED
    options.min_model_size = 3
    options.extract_colors = False  # of the first photo that sees a point; `reconstruct` takes the mean of all
    options.mapper.init_min_tri_angle = rung.init_min_angle_deg
    options.mapper.init_max_forward_motion = rung.init_max_forward
    options.mapper.init_min_num_inliers = rung.init_min_inliers
    options.mapper.abs_pose_min_num_inliers = rung.pose_min_inliers
    placed = 2

    def placed_one() -> None:
        nonlocal placed
        placed = min(placed + 1, len(photos))
        on_progress(placed / len(photos), f"Placing cameras: {placed} of {len(photos)}")

    models = pycolmap.incremental_mapping(database, images, out, options=options, next_image_callback=placed_one)
    return list(models.values())


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
