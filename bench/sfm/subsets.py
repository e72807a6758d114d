"""Wrong models of few photos: how far cameras are off in subsets of sets whose cameras are known, and what tells.
Writes bench/sfm/subsets.json.

    python -m bench.sfm.subsets PHOTOS_DIR ... [--counts 5 5 5 6 6 8] [--subsets 25] [--seed 1]

All photos are matched once, by SIFT. Then the ladder maps random subsets of the counts, in steps of one to four photos
or anywhere. Cameras are compared with DIR.json (bench.sfm.few), or else with those that all photos gave together.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pycolmap

from bench.gpu.drawn_sets import centre_errors
from bench.photo_set import CACHE, SFM_SIDE_PX, clean_photos, set_name
from bench.record import BENCH, arguments, record, write
from bench.sfm.few import truth_of
from splat_worker.limits import PHOTOS_MIN, cpu_count
from splat_worker.photos.validation import Photo
from splat_worker.progress import silent
from splat_worker.sfm import cameras
from splat_worker.sfm.diagnosis import unsure_note
from splat_worker.sfm.learned import rung
from splat_worker.sfm.mapping.evidence import evidence_of
from splat_worker.sfm.mapping.ladder import Ladder
from splat_worker.sfm.matching.verified import read_verified
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.resume import copy_database

WRONG_PERCENT = 4.0
STEPS_MAX = 4
Row = dict[str, Any]


def main() -> int:
    args = _arguments()
    rows: list[Row] = []
    chance = random.Random(args.seed)
    for folder in args.photos:
        photos, database, truth = matched(folder)
        for _ in range(args.subsets):
            names = chosen(sorted(json.loads(truth.read_text())), chance.choice(args.counts), chance)
            by_name = {photo.name: photo for photo in photos}
            rows.append({"set": set_name(folder), **mapped([by_name[name] for name in names], database, truth)})
            print(rows[-1], file=sys.stderr, flush=True)
    write(args.out / "subsets.json", record("python -m bench.sfm.subsets", summary=summary(rows), rows=rows))
    print(json.dumps(summary(rows)))
    return 0


def matched(folder: Path) -> tuple[tuple[Photo, ...], Path, Path]:
    """Photos, match database and file of camera centres by name, cached under bench/_out."""
    work = CACHE / "subsets" / set_name(folder)
    work.mkdir(parents=True, exist_ok=True)
    photos, truth = clean_photos(folder, work, SFM_SIDE_PX), work / "truth.json"
    if not truth.exists():
        with mock.patch.object(rung, "PHOTOS_MAX", 0):
            model = cameras.reconstruct(SfmPreset(threads=cpu_count()), photos, work / "sfm")
        known = truth_of(folder, work)
        centres = {camera.name: camera.centre.tolist() for camera in model.cameras}
        write(truth, json.loads(known.read_text()) if known else centres)
    return photos, work / "sfm/matches.db", truth


def chosen(names: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """In even steps, or anywhere."""
    step = chance.randint(1, STEPS_MAX)
    if chance.random() < 0.5 and count * step <= len(names):
        first = chance.randrange(len(names) - (count - 1) * step)
        return list(names[first : first + count * step : step][:count])
    return sorted(chance.sample(names, count))


def mapped(photos: Sequence[Photo], database: Path, truth: Path) -> Row:
    """What the ladder makes of these photos alone."""
    row: Row = {"photos": len(photos), "placed": 0}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        part = work / "part.db"
        write_part(database, part, {photo.path.name for photo in photos})
        pairs = read_verified(part)
        found = Ladder(
            photos=photos, database=part, work_dir=work, pairs=pairs,
            positions={}, on_progress=silent,
        ).climb()  # fmt: skip
        if found.best is None or found.best.placed < PHOTOS_MIN:
            return row
        model = found.best.model
        names = {photo.path.name: photo.name for photo in photos}
        images = [image for image in model.images.values() if image.has_pose]
        seen = {names[image.name]: int(image.num_points3D) for image in images}
        evidence = evidence_of(model, pairs)
        return row | {
            "placed": len(images),
            "rung": found.best.rung,
            "max_percent": centre_errors({names[i.name]: i.projection_center().tolist() for i in images}, truth)[
                "max_percent"
            ],
            "points": len(evidence.points),
            "fewest_seen": min(seen.values()),
            "explained": round(
                sum(p.explained * p.matches for p in evidence.pairs) / sum(p.matches for p in evidence.pairs), 2
            ),
            "error_px": round(float(evidence.errors_px.mean()), 2),
            "not_certain": unsure_note(seen) is not None,
        }


def write_part(database: Path, target: Path, names: Collection[str]) -> None:
    """A copy of the match database with these photos alone."""
    copy_database(database, target, descriptors=False)
    with contextlib.closing(sqlite3.connect(target)) as db, db:
        ids = dict(db.execute("SELECT name, image_id FROM images"))
        kept = {ids[name] for name in names}
        for image_id in set(ids.values()) - kept:
            frame = db.execute("SELECT frame_id FROM frame_data WHERE data_id = ?", (image_id,)).fetchone()
            db.execute("DELETE FROM frame_data WHERE frame_id = ?", frame)
            db.execute("DELETE FROM frames WHERE frame_id = ?", frame)
            db.execute("DELETE FROM keypoints WHERE image_id = ?", (image_id,))
            db.execute("DELETE FROM images WHERE image_id = ?", (image_id,))
        for (pair_id,) in db.execute("SELECT pair_id FROM matches").fetchall():
            if not kept.issuperset(pycolmap.pair_id_to_image_pair(pair_id)):
                db.execute("DELETE FROM matches WHERE pair_id = ?", (pair_id,))
                db.execute("DELETE FROM two_view_geometries WHERE pair_id = ?", (pair_id,))


def summary(rows: Sequence[Row]) -> Row:
    """Models, wrong ones among them, and how many of both are reported as not certain."""
    models = [row for row in rows if row["placed"]]
    wrong = [row for row in models if row["max_percent"] > WRONG_PERCENT]
    return {
        "subsets": len(rows),
        "models": len(models),
        "wrong": len(wrong),
        "wrong_not_certain": sum(row["not_certain"] for row in wrong),
        "right_not_certain": sum(row["not_certain"] for row in models) - sum(row["not_certain"] for row in wrong),
    }


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="+", type=Path, help="folders of photos")
    parser.add_argument("--counts", nargs="+", type=int, default=[5, 5, 5, 6, 6, 8])
    parser.add_argument("--subsets", type=int, default=25, help="of each set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=BENCH / "sfm", help="folder of subsets.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
