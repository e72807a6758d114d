"""Fills COLMAP's database with one camera per lens setting and with the features of each photo.
Skips photos that the database already holds.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pycolmap

from splat_worker.photos.mask import FOLDER as MASKS
from splat_worker.photos.validation import Photo
from splat_worker.sfm.preset import OnProgress, SfmPreset

log = logging.getLogger(__name__)

CHUNK_PER_THREAD = 4
"""Photos per thread in one call of COLMAP: progress moves every few seconds and all cores stay busy. A call costs a
tenth of a second."""
FEATURES_MAX = 8192


def extract_features(preset: SfmPreset, photos: Sequence[Photo], database: Path, on_progress: OnProgress) -> None:
    """Find the features of all photos that the database lacks, a few photos at a time."""
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
        at_once = CHUNK_PER_THREAD * preset.threads
        for start in range(0, len(missing), at_once):
            chunk = missing[start : start + at_once]
            _extract(preset, chunk, database, camera_id)
            done += len(chunk)
            on_progress(done / len(photos), f"Finding features: {done} of {len(photos)} photos")


def _extract(preset: SfmPreset, photos: Sequence[Photo], database: Path, camera_id: int) -> None:
    """On the GPU if there is one and it has enough memory, else by COLMAP. Both give the same features but for
    rounding."""
    if preset.gpu and _extract_on_gpu(preset, preset.gpu, photos, database, camera_id):
        return
    reader, options = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
    reader.existing_camera_id = camera_id
    options.num_threads = preset.threads
    options.sift.max_num_features = FEATURES_MAX
    options.max_image_size = preset.extract_max_px or -1
    folder, names = photos[0].path.parent, [photo.path.name for photo in photos]
    # Threads write photos as they finish; the mapper's choices depend on the order, so that is fixed here.
    pycolmap.import_images(database, folder, pycolmap.CameraMode.SINGLE, names, reader)
    for masked in (False, True):  # COLMAP drops features beyond a mask, and fails where one is missing
        some = [photo.path.name for photo in photos if (photo.mask is not None) == masked]
        reader.mask_path = folder / MASKS if masked else ""
        if some:
            pycolmap.extract_features(
                database,
                folder,
                image_names=some,
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
            )


def _extract_on_gpu(preset: SfmPreset, gpu: str, photos: Sequence[Photo], database: Path, camera_id: int) -> bool:
    """False if the GPU ran out of memory. COLMAP then finds the features that are missing."""
    import torch  # only with a GPU

    from splat_worker.sfm.features.gpu import write_features

    try:
        write_features(
            photos,
            database,
            camera_id=camera_id,
            side_max_px=preset.extract_max_px,
            features_max=FEATURES_MAX,
            threads=preset.threads,
            device=gpu,
        )
    except torch.cuda.OutOfMemoryError:
        log.warning("the GPU is out of memory; finding features on the CPU")
        torch.cuda.empty_cache()
        return False
    return True


def _write_camera(database: Path, group: Sequence[Photo]) -> int:
    """One SIMPLE_RADIAL camera for photos of one lens setting. Without a focal length in the tags it starts at
    COLMAP's default, 1.2 times the longer side, which the mapper may change freely."""
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
