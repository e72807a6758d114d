"""Features found on a GPU, written into COLMAP's database as its own extractor writes them.
What a feature is, sift.py says. Imports torch, so it is imported only where a GPU is.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pycolmap
import torch
from torch.nn import functional

from splat_worker.photos.door import Photo
from splat_worker.sfm.sift import Features, find_features


def write_features(
    photos: Sequence[Photo],
    database: Path,
    *,
    camera_id: int,
    side_max_px: int | None,
    features_max: int,
    threads: int,
    device: str,
) -> None:
    """Of photos in one folder that the database does not know; camera_id: of all of them. side_max_px: longer side at
    which features are looked for, None for the photos' own; places are those of the photos either way."""
    reader = pycolmap.ImageReaderOptions()
    reader.existing_camera_id = camera_id
    names = [photo.path.name for photo in photos]
    pycolmap.import_images(database, photos[0].path.parent, pycolmap.CameraMode.SINGLE, names, reader)
    with pycolmap.Database.open(database) as db, ThreadPoolExecutor(threads) as pool:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        for name, grey in zip(names, pool.map(_grey, [photo.path for photo in photos]), strict=True):
            found = features_of(grey, side_max_px=side_max_px, features_max=features_max, device=device)
            db.write_keypoints(ids[name], found.places.cpu().numpy())
            described = pycolmap.FeatureDescriptors(pycolmap.FeatureExtractorType.SIFT, found.descriptors.cpu().numpy())
            db.write_descriptors(ids[name], described)


def features_of(grey: np.ndarray, *, side_max_px: int | None, features_max: int, device: str) -> Features:
    """Of a (H, W) uint8 picture, looked for at `side_max_px` where it is larger, in its own pixels."""
    picture = torch.from_numpy(grey).to(device).float() / 255.0
    height, width = grey.shape
    scale = min(1.0, (side_max_px or max(height, width)) / max(height, width))
    if scale == 1.0:
        return find_features(picture, features_max=features_max)
    size = (max(round(scale * height), 1), max(round(scale * width), 1))
    small = functional.interpolate(picture[None, None], size, mode="bilinear", antialias=True)[0, 0]
    found = find_features(small, features_max=features_max)
    wider, higher = width / size[1], height / size[0]
    back = found.places.new_tensor([wider, higher, (wider * higher) ** 0.5, 1.0])
    return Features(places=found.places * back, descriptors=found.descriptors)


def _grey(path: Path) -> np.ndarray:
    picture = pycolmap.Bitmap.read(path, as_rgb=False)
    if picture is None:
        raise FileNotFoundError(f"{path.name} cannot be read")
    return np.ascontiguousarray(picture.to_array().reshape(picture.height, picture.width))
