"""Features found on a GPU, written into COLMAP's database the way COLMAP's extractor writes them.
Imports torch, so import it only with a GPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pycolmap
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from splat_worker.photos.validation import Photo
from splat_worker.sfm.features.sift import Features, find_features

BATCH_PIXELS = 4_000_000
"""Pixels of the photos in one batch: 3 GB of GPU memory, five photos of 1000x750 px."""
LUMA = (0.2126, 0.7152, 0.0722, 0.0)
"""Weights of red, green and blue (ITU-R BT.709), as in COLMAP."""
Grey = NDArray[np.uint8]


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
    """Find and write the features of photos in one folder that share the camera `camera_id`.

    side_max_px: longer side at which features are found, None for the photos' own size; coordinates always refer to the
    photos' own size. Raises torch.cuda.OutOfMemoryError if the GPU cannot hold one photo; earlier photos are written.
    """
    reader = pycolmap.ImageReaderOptions()
    reader.existing_camera_id = camera_id
    names = [photo.path.name for photo in photos]
    masks = {photo.path.name: photo.mask for photo in photos}
    pycolmap.import_images(database, photos[0].path.parent, pycolmap.CameraMode.SINGLE, names, reader)
    with pycolmap.Database.open(database) as db, ThreadPoolExecutor(threads) as pool:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        greys = zip(names, pool.map(_grey, [photo.path for photo in photos]), strict=True)
        for batch in _batches(greys, side_max_px):
            found = _within_memory([grey for _, grey in batch], side_max_px, features_max=features_max, device=device)
            for (name, _), everywhere in zip(batch, found, strict=True):
                features = kept_by(masks[name], everywhere)
                db.write_keypoints(ids[name], features.keypoints)
                kind = pycolmap.FeatureExtractorType.SIFT
                db.write_descriptors(ids[name], pycolmap.FeatureDescriptors(kind, features.descriptors))


def kept_by(mask: Path | None, features: Features) -> Features:
    """The features that a photo's mask keeps, as in COLMAP: the pixel of the mask under each is not black."""
    if mask is None:
        return features
    with Image.open(mask) as opened:
        kept = np.asarray(opened) > 0
    x, y = features.keypoints[:, 0].astype(int), features.keypoints[:, 1].astype(int)
    inside = kept[y.clip(0, kept.shape[0] - 1), x.clip(0, kept.shape[1] - 1)]
    return Features(keypoints=features.keypoints[inside], descriptors=features.descriptors[inside])


def _within_memory(
    greys: Sequence[Grey], side_max_px: int | None, *, features_max: int, device: str
) -> Sequence[Features]:
    """All at once, or one by one if the GPU runs out of memory."""
    if len(greys) > 1:
        with contextlib.suppress(torch.cuda.OutOfMemoryError):
            return features_of(greys, side_max_px, features_max=features_max, device=device)
        torch.cuda.empty_cache()
    return [features_of([grey], side_max_px, features_max=features_max, device=device)[0] for grey in greys]


def features_of(greys: Sequence[Grey], side_max_px: int | None, *, features_max: int, device: str) -> list[Features]:
    """Features of (H, W) images of one size, found at no more than `side_max_px`, in pixels of the images."""
    images = torch.from_numpy(np.stack(greys)).to(device).float() / 255.0
    height, width = greys[0].shape
    size = _size(height, width, side_max_px)
    if size == (height, width):
        return find_features(images, features_max=features_max)
    small = functional.interpolate(images[:, None], size, mode="bilinear", antialias=True)[:, 0]
    wider, higher = width / size[1], height / size[0]
    back = np.array([wider, higher, (wider * higher) ** 0.5, 1.0], np.float32)
    found = find_features(small, features_max=features_max)
    return [Features(keypoints=one.keypoints * back, descriptors=one.descriptors) for one in found]


def _size(height: int, width: int, side_max_px: int | None) -> tuple[int, int]:
    scale = min(1.0, (side_max_px or max(height, width)) / max(height, width))
    return max(round(scale * height), 1), max(round(scale * width), 1)


def _batches(greys: Iterable[tuple[str, Grey]], side_max_px: int | None) -> Iterator[list[tuple[str, Grey]]]:
    """Consecutive photos of one size, up to BATCH_PIXELS unless a single photo has more."""
    batch: list[tuple[str, Grey]] = []
    for name, grey in greys:
        height, width = grey.shape
        pixels = math.prod(_size(height, width, side_max_px))
        if batch and (batch[0][1].shape != grey.shape or (len(batch) + 1) * pixels > BATCH_PIXELS):
            yield batch
            batch = []
        batch.append((name, grey))
    if batch:
        yield batch


def _grey(path: Path) -> Grey:
    """Read by pillow, which releases the GIL; pycolmap's reader does not."""
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB").convert("L", LUMA))
