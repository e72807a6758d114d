"""Compares pairs of photos and verifies their matches in COLMAP's database.
Skips pairs that the database already holds as verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching.pairs import Pairs
from splat_worker.sfm.matching.verify import verification_options
from splat_worker.sfm.preset import OnProgress, SfmPreset

MATCH_CHUNK = 150
VERIFY_CHUNK = 1000
"""Pairs in one call of COLMAP: to match and verify, and only to verify (the GPU has matched them). Progress moves every
few seconds and all cores stay busy. A call costs a tenth of a second; two cores verify 150 pairs in 0.8 s."""


def match_photos(
    preset: SfmPreset,
    photos: Sequence[Photo],
    pairs: Pairs,
    database: Path,
    work_dir: Path,
    *,
    on_progress: OnProgress,
) -> None:
    """Match and verify all pairs that the database lacks, a few at a time. COLMAP only verifies pairs that already
    have matches, such as those of the GPU."""
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = preset.threads
    gpu = None
    if preset.gpu:
        from splat_worker.sfm.matching.gpu import GpuMatcher

        gpu = GpuMatcher(database, device=preset.gpu)
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = work_dir / "pairs.txt"
    missing = _not_verified(photos, pairs, database)
    before = len(pairs) - len(missing)
    at_once = MATCH_CHUNK if gpu is None else VERIFY_CHUNK
    for start in range(0, len(missing), at_once):
        chunk = [(photos[i].path.name, photos[j].path.name) for i, j in missing[start : start + at_once]]
        if gpu is not None:
            gpu.write_matches(chunk)
        (work_dir / "pairs.txt").write_text("".join(f"{one} {other}\n" for one, other in chunk))
        pycolmap.match_image_pairs(
            database,
            matching_options=options,
            pairing_options=pairing,
            verification_options=verification_options(),
            device=pycolmap.Device.cpu,
        )
        done = before + start + len(chunk)
        on_progress(done / len(pairs), f"Comparing photos: {done} of {len(pairs)} pairs")


def _not_verified(photos: Sequence[Photo], pairs: Pairs, database: Path) -> Pairs:
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        of = [ids[photo.path.name] for photo in photos]
        return tuple((i, j) for i, j in pairs if not db.exists_two_view_geometry(of[i], of[j]))
