"""Few photos in wide steps: what the ladder places alone, and with learned features after it. Writes
bench/sfm/few.json.

    python -m bench.sfm.few PHOTOS_DIR ... [--counts 5 6 8 12 20]

From each folder N photos are drawn, evenly over the whole set and every second from the first. Where DIR.json holds the
true camera centres (bench.gpu.drawn_sets, or the samples' cameras.json), the largest error is a percentage of the
cameras' extent. Every row runs in a process of its own; the second search resumes from the matches of the first.
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
from unittest import mock

from bench.gpu.drawn_sets import centre_errors
from bench.photo_set import SFM_SIDE_PX, set_name
from bench.record import BENCH, arguments, cpu_s, in_own_process, record, write
from splat_worker.errors import JobError
from splat_worker.limits import cpu_count
from splat_worker.photos.sniff import meant_as_photo
from splat_worker.photos.validation import Source, prepare
from splat_worker.sfm import cameras
from splat_worker.sfm.learned import rung
from splat_worker.sfm.preset import SfmPreset

COUNTS = (5, 6, 8, 12, 20)
Row = dict[str, Any]


def main() -> int:
    args = _arguments()
    if args.one:
        print(json.dumps(_row(*json.loads(args.one))))
        return 0
    out = args.out / "few.json"
    rows: list[Row] = json.loads(out.read_text())["rows"] if out.exists() else []
    for folder in args.photos:
        for count in args.counts:
            for way, names in drawn(folder, count).items():
                key = {"set": set_name(folder), "photos": count, "drawn": way}
                rows = [row for row in rows if {name: row[name] for name in key} != key]
                rows.append({**key, **in_own_process("bench.sfm.few", [str(folder), names])})
                write(out, record("python -m bench.sfm.few", rows=rows))
    return 0


def drawn(folder: Path, count: int) -> dict[str, list[str]]:
    """File names by the way that they are drawn; nothing for a set that is too small."""
    names = sorted(path.name for path in folder.iterdir() if meant_as_photo(path))
    ways = {}
    if count <= len(names):
        ways["whole"] = [names[i * len(names) // count] for i in range(count)]
    if 2 * count < len(names):
        ways["every second"] = names[: 2 * count : 2]
    return ways


def _row(folder: str, names: list[str]) -> Row:
    with tempfile.TemporaryDirectory() as work:
        sources = [Source(name=name, path=Path(folder) / name) for name in names]
        photos = prepare(sources, Path(work) / "photos", side_max_px=SFM_SIDE_PX).photos
        with mock.patch.object(rung, "PHOTOS_MAX", 0):
            before = _search(photos, Path(work) / "before", Path(folder), None)
        matches = Path(work) / "copy.db"
        shutil.copyfile(Path(work) / "before/matches.db", matches)
        return {"before": before, "after": _search(photos, Path(work) / "after", Path(folder), matches)}


def _search(photos: Any, work: Path, folder: Path, matches: Path | None) -> Row:
    wall, seconds = time.monotonic(), cpu_s()
    try:
        model = cameras.reconstruct(SfmPreset(threads=cpu_count()), photos, work, resume_from=matches)
    except JobError as error:
        row: Row = {"placed": 0, "message": error.message}
    else:
        row = {
            "placed": len(model.cameras),
            "points": len(model.points),
            "rung": model.rung,
            "error_px": round(model.reprojection_error_px, 2),
        }
        truth = _truth(folder, work)
        if truth is not None:
            row |= centre_errors({camera.name: list(camera.centre) for camera in model.cameras}, truth)
    return row | {"wall_s": round(time.monotonic() - wall, 1), "cpu_s": round(cpu_s() - seconds, 1)}


def _truth(folder: Path, work: Path) -> Path | None:
    """A file of true centres by file name."""
    plain, samples = folder.with_suffix(".json"), folder.parent / "cameras.json"
    if plain.exists():
        return plain
    if not samples.exists():
        return None
    centres = {
        photo["name"]: [row[3] for row in photo["camera_to_world"][:3]]
        for photo in json.loads(samples.read_text())["photos"]
    }
    write(work / "truth.json", centres)
    return work / "truth.json"


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="*", type=Path, help="folders of photos")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="photos drawn from each folder")
    parser.add_argument("--out", type=Path, default=BENCH / "sfm", help="folder of few.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
