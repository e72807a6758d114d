"""Compares pairs of photos and verifies their matches, into COLMAP's database.
Skips pairs that the database already holds as verified.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching.gpu import GpuMatcher
from splat_worker.sfm.matching.pairs import Pairs
from splat_worker.sfm.matching.two_view import PhotoFeatures, verified
from splat_worker.sfm.matching.verify import verification_options
from splat_worker.sfm.preset import OnProgress, SfmPreset

MATCH_CHUNK = 150
"""Pairs in one call of COLMAP, on a CPU. Progress moves every few seconds and all cores stay busy."""
AHEAD = 64
"""Pairs that a GPU matches ahead of those that the cores have verified."""
TELL_EVERY = 100
"""Pairs from one progress message of a GPU to the next."""

OnDone = Callable[[int], None]
"""Takes the number of pairs that are verified."""


def match_photos(
    preset: SfmPreset,
    photos: Sequence[Photo],
    pairs: Pairs,
    database: Path,
    work_dir: Path,
    *,
    on_progress: OnProgress,
) -> None:
    """Match and verify all pairs that the database lacks."""
    missing = _not_verified(photos, pairs, database)
    before = len(pairs) - len(missing)

    def told(done: int) -> None:
        done += before
        on_progress(done / len(pairs), f"Comparing photos: {done} of {len(pairs)} pairs")

    if preset.gpu:
        _with_gpu(photos, missing, database, told, gpu=preset.gpu, threads=preset.threads)
    else:
        list_file = work_dir / "pairs.txt"
        _with_colmap(photos, missing, database, told, threads=preset.threads, list_file=list_file)


def _with_colmap(
    photos: Sequence[Photo], pairs: Pairs, database: Path, told: OnDone, *, threads: int, list_file: Path
) -> None:
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = threads
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = list_file
    for start in range(0, len(pairs), MATCH_CHUNK):
        chunk = pairs[start : start + MATCH_CHUNK]
        list_file.write_text("".join(f"{photos[i].path.name} {photos[j].path.name}\n" for i, j in chunk))
        pycolmap.match_image_pairs(
            database,
            matching_options=options,
            pairing_options=pairing,
            verification_options=verification_options(),
            device=pycolmap.Device.cpu,
        )
        told(start + len(chunk))


def _with_gpu(photos: Sequence[Photo], pairs: Pairs, database: Path, told: OnDone, *, gpu: str, threads: int) -> None:
    """The GPU matches a pair while the cores verify those before it. Rows are written in the order of `pairs`."""
    waiting: deque[tuple[int, int, np.ndarray, Future[pycolmap.TwoViewGeometry]]] = deque()
    with pycolmap.Database.open(database) as db, ThreadPoolExecutor(threads) as cores:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        numbers = [ids[photo.path.name] for photo in photos]
        features = {n: _features(db, numbers[n]) for n in sorted({n for pair in pairs for n in pair})}
        matcher = GpuMatcher(db, device=gpu)
        written = 0

        def write_next() -> None:
            nonlocal written
            one, other, matches, geometry = waiting.popleft()
            if not db.exists_matches(one, other):
                db.write_matches(one, other, matches)
            db.write_two_view_geometry(one, other, geometry.result())
            written += 1
            if written % TELL_EVERY == 0 or written == len(pairs):
                told(written)

        try:
            for i, j in pairs:
                matches = matcher.matches(numbers[i], numbers[j])
                future = cores.submit(verified, features[i], features[j], matches)
                waiting.append((numbers[i], numbers[j], matches, future))
                if len(waiting) > AHEAD:
                    write_next()
            while waiting:
                write_next()
        finally:
            cores.shutdown(cancel_futures=True)


def _features(db: pycolmap.Database, image_id: int) -> PhotoFeatures:
    points = np.asarray(db.read_keypoints(image_id))[:, :2].astype(np.float64)
    return PhotoFeatures(camera=db.read_camera(db.read_image(image_id).camera_id), points=points)


def _not_verified(photos: Sequence[Photo], pairs: Pairs, database: Path) -> Pairs:
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        of = [ids[photo.path.name] for photo in photos]
        return tuple((i, j) for i, j in pairs if not db.exists_two_view_geometry(of[i], of[j]))
