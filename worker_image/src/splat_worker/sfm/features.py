"""Fills COLMAP's database: a camera for each lens setting, the photos' features, the matches of the pairs.
Goes on from whatever the database already holds; decides no pairs and places no camera.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pycolmap

from splat_worker.photos.door import Photo
from splat_worker.sfm.matching import Pairs
from splat_worker.sfm.preset import OnProgress, SfmPreset

log = logging.getLogger(__name__)

GPU = "cuda"
"""torch's name of the device of `SfmPreset.on_gpu`."""
EXTRACT_CHUNK_PER_THREAD = 4
MATCH_CHUNK = 150
VERIFY_CHUNK = 1000
"""Photos, pairs to compare, and pairs that the GPU compared and that are only verified: as many are handed to COLMAP at
once, so that progress can be told every few seconds and all cores are busy. Each handing over costs a tenth of a
second; two cores verify 150 pairs in 0.8 s."""
FEATURES_MAX = 8192


def extract_features(preset: SfmPreset, photos: Sequence[Photo], database: Path, on_progress: OnProgress) -> None:
    """Of the photos that the database has none of, a few at a time."""
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
            _extract(preset, chunk, database, camera_id)
            done += len(chunk)
            on_progress(done / len(photos), f"Looking for features: {done} of {len(photos)} photos")


def _extract(preset: SfmPreset, photos: Sequence[Photo], database: Path, camera_id: int) -> None:
    """On the GPU, or by COLMAP where there is none or it has no room: the same features, but for rounding."""
    if preset.on_gpu and _extract_on_gpu(preset, photos, database, camera_id):
        return
    reader, options = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
    reader.existing_camera_id = camera_id
    options.num_threads = preset.threads
    options.sift.max_num_features = FEATURES_MAX
    options.max_image_size = preset.extract_max_px or -1
    pycolmap.extract_features(
        database,
        photos[0].path.parent,
        image_names=[photo.path.name for photo in photos],
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _extract_on_gpu(preset: SfmPreset, photos: Sequence[Photo], database: Path, camera_id: int) -> bool:
    """Whether the GPU had room for them; COLMAP goes on where it had not."""
    import torch  # only where a GPU is

    from splat_worker.sfm.gpu_features import write_features

    try:
        write_features(
            photos,
            database,
            camera_id=camera_id,
            side_max_px=preset.extract_max_px,
            features_max=FEATURES_MAX,
            threads=preset.threads,
            device=GPU,
        )
    except torch.cuda.OutOfMemoryError:
        log.warning("the GPU has no room to look for features; the CPU does")
        torch.cuda.empty_cache()
        return False
    return True


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


def match_photos(
    preset: SfmPreset,
    photos: Sequence[Photo],
    pairs: Pairs,
    database: Path,
    work_dir: Path,
    *,
    on_progress: OnProgress,
) -> None:
    """Of the pairs that the database has not compared and verified, a few at a time. COLMAP matches and verifies them;
    pairs that have matches already, as the GPU's, it only verifies."""
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = preset.threads
    gpu = None
    if preset.on_gpu:
        from splat_worker.sfm.gpu_matching import GpuMatcher

        gpu = GpuMatcher(database, device=GPU)
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = work_dir / "pairs.txt"
    missing = _not_compared(photos, pairs, database)
    before = len(pairs) - len(missing)
    at_once = MATCH_CHUNK if gpu is None else VERIFY_CHUNK
    for start in range(0, len(missing), at_once):
        chunk = [(photos[i].path.name, photos[j].path.name) for i, j in missing[start : start + at_once]]
        if gpu is not None:
            gpu.write_matches(chunk)
        (work_dir / "pairs.txt").write_text("".join(f"{one} {other}\n" for one, other in chunk))
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
