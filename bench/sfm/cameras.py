"""Cameras of larger sets: which overlaps the chosen pairs find, and what mapping costs beside plain pycolmap.
Writes bench/sfm/cameras.json.

    python -m bench.sfm.cameras PHOTOS_DIR [--matches DB] [--photos-max N]

Features and exhaustive matches are found once; `--matches` takes those of another machine instead, in a database of the
same photos in the same order. Every mapping runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pycolmap

from bench.photo_set import CACHE, SFM_SIDE_PX, clean_photos, set_name
from bench.record import BENCH, arguments, cpu_s, in_own_process, record, write
from splat_worker.contract.job_input import Matching
from splat_worker.limits import cpu_count
from splat_worker.photos.validation import Photo
from splat_worker.progress import silent
from splat_worker.sfm.cameras import positions_of
from splat_worker.sfm.features.extract import extract_features
from splat_worker.sfm.mapping.ladder import Ladder
from splat_worker.sfm.matching.pairs import Pairs, Way, by_shared_overlap, pairs_of
from splat_worker.sfm.matching.retrieval import likeness
from splat_worker.sfm.matching.rounds import OVERLAP_MATCHES_MIN, ROUND_ENDS, compare_photos
from splat_worker.sfm.matching.verified import read_verified
from splat_worker.sfm.preset import SfmPreset

OVERLAPS_FROM = (15, 50, 100)
"""Verified matches from which a pair counts as an overlap."""
CHOICES = ((Way.SPATIAL, Way.SEQUENTIAL, Way.RETRIEVAL), (Way.SEQUENTIAL, Way.RETRIEVAL))

Row = dict[str, Any]


def main() -> int:
    args = _arguments()
    if args.one:
        by, folder, database, photos_max = json.loads(args.one)
        print(json.dumps(MAPPERS[by](_photos(Path(folder), photos_max), Path(database))))
        return 0
    photos = _photos(args.photos, args.photos_max)
    work = CACHE / f"{set_name(args.photos)}-cameras"
    features = work / "features.db"
    extract_features(_preset(), photos, features, silent)
    matches = args.matches or _matched(photos, features, work)
    out = args.out / "cameras.json"
    rows: list[Row] = json.loads(out.read_text())["sets"] if out.exists() else []
    row = {"set": set_name(args.photos), "photos": len(photos), "pairs": pair_rows(photos, features, matches)}
    row["mapping"] = [
        {"by": by, **in_own_process("bench.sfm.cameras", [by, str(args.photos), str(matches), args.photos_max])}
        for by in MAPPERS
    ]
    kept = [one for one in rows if (one["set"], one["photos"]) != (row["set"], row["photos"])]
    write(out, record("python -m bench.sfm.cameras", sets=[*kept, row]))
    return 0


def pair_rows(photos: tuple[Photo, ...], features: Path, matches: Path) -> list[Row]:
    """Of each choice and round: the pairs compared, and the overlaps of the exhaustive matches among them."""
    names, positions = [photo.path.name for photo in photos], [photo.position for photo in photos]
    number = {name: i for i, name in enumerate(names)}
    true = {(number[pair.first], number[pair.second]): pair.matches for pair in read_verified(matches)}
    started = time.monotonic()
    alike = likeness(features, names)
    took = round(time.monotonic() - started, 1)

    def row(by: str, pairs: Pairs) -> Row:
        found = {str(least): sum(true.get(pair, 0) >= least for pair in pairs) for least in OVERLAPS_FROM}
        return {"by": by, "pairs": len(pairs), "overlaps": found}

    rows = [row("exhaustive", pairs_of((Way.EXHAUSTIVE,), positions)), {"by": "likeness of all", "wall_s": took}]
    for ways in CHOICES:
        pairs = pairs_of(ways, positions, lambda: alike)
        rows.append(row(" + ".join(ways), pairs))
        for later in range(2, len(ROUND_ENDS) + 1):
            overlapping = [pair for pair in pairs if true.get(pair, 0) >= OVERLAP_MATCHES_MIN]
            pairs += by_shared_overlap(overlapping, pairs, len(photos))
            rows.append(row(f"round {later}", pairs))
    return rows


def ours(photos: tuple[Photo, ...], database: Path) -> Row:
    wall, seconds = time.monotonic(), cpu_s()
    with tempfile.TemporaryDirectory() as work:
        climbed = Ladder(
            photos=photos,
            database=database,
            work_dir=Path(work),
            pairs=read_verified(database),
            positions=positions_of(photos),
            on_progress=silent,
        ).climb()
    best = climbed.best
    return _row([best.model] if best else [], photos, wall, seconds) | {"tried": dict(climbed.tried)}


def plain(photos: tuple[Photo, ...], database: Path) -> Row:
    """COLMAP's defaults."""
    wall, seconds = time.monotonic(), cpu_s()
    options = pycolmap.IncrementalPipelineOptions()
    options.random_seed, options.num_threads, options.extract_colors = 0, cpu_count(), False
    with tempfile.TemporaryDirectory() as work:
        models = pycolmap.incremental_mapping(database, photos[0].path.parent, work, options=options)
    return _row(list(models.values()), photos, wall, seconds)


MAPPERS = {"plain pycolmap": plain, "this worker": ours}


def _row(models: list[pycolmap.Reconstruction], photos: tuple[Photo, ...], wall: float, seconds: float) -> Row:
    model = max(models, key=lambda one: int(one.num_reg_images()))
    placed = {image.name for image in model.images.values() if image.has_pose}
    return {
        "placed": len(placed),
        "left_out": [photo.name for photo in photos if photo.path.name not in placed],
        "error_px": round(float(model.compute_mean_reprojection_error()), 3),
        "wall_s": round(time.monotonic() - wall, 1),
        "cpu_s": round(cpu_s() - seconds, 1),
    }


def _matched(photos: tuple[Photo, ...], features: Path, work: Path) -> Path:
    database = work / "matches.db"
    shutil.copyfile(features, database)
    compare_photos(_preset(), photos, database, work, on_progress=silent)
    return database


def _photos(folder: Path, photos_max: int | None) -> tuple[Photo, ...]:
    return clean_photos(folder, CACHE / f"{set_name(folder)}-cameras", SFM_SIDE_PX)[:photos_max]


def _preset() -> SfmPreset:
    return SfmPreset(threads=cpu_count(), matching=Matching.EXHAUSTIVE)


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of photos")
    parser.add_argument("--matches", type=Path, help="database with exhaustive matches of these photos")
    parser.add_argument("--photos-max", type=int, help="only the first photos by name")
    parser.add_argument("--out", type=Path, default=BENCH / "sfm", help="folder of cameras.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
