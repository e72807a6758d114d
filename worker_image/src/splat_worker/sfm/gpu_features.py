"""Features found on a GPU, written into COLMAP's database as its own extractor writes them.
What a feature is, sift.py says. Imports torch, so it is imported only where a GPU is.
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

from splat_worker.photos.door import Photo
from splat_worker.sfm.sift import Features, find_features

BATCH_PIXELS = 4_000_000
"""Of photos whose features are found together: 3 GB of a GPU's memory, five photos of 1000x750 px."""
LUMA = (0.2126, 0.7152, 0.0722, 0.0)
"""Of red, green and blue (ITU-R BT.709), as COLMAP makes a photo grey."""
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
    """Of photos in one folder that the database has no features of; camera_id: of all of them. side_max_px: longer side
    at which features are looked for, None for the photos' own; places are those of the photos either way. Raises
    torch.cuda.OutOfMemoryError where the GPU cannot hold one photo; those before it are written."""
    reader = pycolmap.ImageReaderOptions()
    reader.existing_camera_id = camera_id
    names = [photo.path.name for photo in photos]
    pycolmap.import_images(database, photos[0].path.parent, pycolmap.CameraMode.SINGLE, names, reader)
    with pycolmap.Database.open(database) as db, ThreadPoolExecutor(threads) as pool:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        greys = zip(names, pool.map(_grey, [photo.path for photo in photos]), strict=True)
        for batch in _batches(greys, side_max_px):
            found = _within_memory([grey for _, grey in batch], side_max_px, features_max=features_max, device=device)
            for (name, _), features in zip(batch, found, strict=True):
                db.write_keypoints(ids[name], features.places)
                kind = pycolmap.FeatureExtractorType.SIFT
                db.write_descriptors(ids[name], pycolmap.FeatureDescriptors(kind, features.descriptors))


def _within_memory(
    greys: Sequence[Grey], side_max_px: int | None, *, features_max: int, device: str
) -> Sequence[Features]:
    """All at once, or one after the other where the GPU has no room for that."""
    if len(greys) > 1:
        with contextlib.suppress(torch.cuda.OutOfMemoryError):
            return features_of(greys, side_max_px, features_max=features_max, device=device)
        torch.cuda.empty_cache()
    return [features_of([grey], side_max_px, features_max=features_max, device=device)[0] for grey in greys]


def features_of(greys: Sequence[Grey], side_max_px: int | None, *, features_max: int, device: str) -> list[Features]:
    """Of (H, W) pictures of one size, looked for at `side_max_px` where they are larger, in their own pixels."""
    pictures = torch.from_numpy(np.stack(greys)).to(device).float() / 255.0
    height, width = greys[0].shape
    size = _size(height, width, side_max_px)
    if size == (height, width):
        return find_features(pictures, features_max=features_max)
    small = functional.interpolate(pictures[:, None], size, mode="bilinear", antialias=True)[:, 0]
    wider, higher = width / size[1], height / size[0]
    back = np.array([wider, higher, (wider * higher) ** 0.5, 1.0], np.float32)
    found = find_features(small, features_max=features_max)
    return [Features(places=one.places * back, descriptors=one.descriptors) for one in found]


def _size(height: int, width: int, side_max_px: int | None) -> tuple[int, int]:
    scale = min(1.0, (side_max_px or max(height, width)) / max(height, width))
    return max(round(scale * height), 1), max(round(scale * width), 1)


def _batches(greys: Iterable[tuple[str, Grey]], side_max_px: int | None) -> Iterator[list[tuple[str, Grey]]]:
    """Neighbours of one size, no more than BATCH_PIXELS of them unless one alone has more."""
    batch: list[tuple[str, Grey]] = []
    for name, grey in greys:
        pixels = math.prod(_size(*grey.shape, side_max_px))
        if batch and (batch[0][1].shape != grey.shape or (len(batch) + 1) * pixels > BATCH_PIXELS):
            yield batch
            batch = []
        batch.append((name, grey))
    if batch:
        yield batch


def _grey(path: Path) -> Grey:
    """By pillow, which reads in several threads; pycolmap's own reader holds Python's lock."""
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB").convert("L", LUMA))
