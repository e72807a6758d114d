"""Few photos in wide steps: what the ladder places alone, and with learned features after it. Writes
bench/sfm/few.json.

    python -m bench.sfm.few PHOTOS_DIR ... [--counts 5 6 8 12 20] [--gpu cuda] [--train preview] [--at-once 1]
    python -m bench.sfm.few --table    # prints few.json as a table

From each folder N photos are drawn, evenly over the whole set and every second from the first. Where DIR.json holds the
true camera centres (bench.gpu.drawn_sets, or the samples' cameras.json), the largest error is a percentage of the
cameras' extent. Every row runs in a process of its own; the second search resumes from the matches of the first.
`--train` also trains both results, and measures PSNR on the photos that a job holds out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba loads
from bench.gpu.drawn_sets import centre_errors
from bench.photo_set import SFM_SIDE_PX, set_name
from bench.record import BENCH, arguments, cpu_s, in_own_process, record, write
from splat_worker.errors import JobError
from splat_worker.limits import cpu_count
from splat_worker.photos.sniff import meant_as_photo
from splat_worker.photos.validation import Photo, Source, prepare
from splat_worker.sfm import cameras
from splat_worker.sfm.frame.similarity import find_frame, transform
from splat_worker.sfm.learned import rung
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.sparse import SparseModel
from splat_worker.sfm.undistort import posed_photos
from splat_worker.train.core.context import Device, TrainContext, TrainingFailed
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.trainer import train

COUNTS = (5, 6, 8, 12, 20)
Row = dict[str, Any]


def main() -> int:
    args = _arguments()
    if args.one:
        print(json.dumps(_row(*json.loads(args.one))))
        return 0
    out = args.out / "few.json"
    rows: list[Row] = json.loads(out.read_text())["rows"] if out.exists() else []
    if args.table:
        print(table(rows))
        return 0
    jobs = {}
    with ThreadPoolExecutor(args.at_once) as pool:
        for count in args.counts:
            for folder in args.photos:
                for way, names in drawn(folder, count).items():
                    key = {"set": set_name(folder), "photos": count, "drawn": way}
                    case = [str(folder), names, args.gpu, args.train]
                    jobs[pool.submit(in_own_process, "bench.sfm.few", case)] = key
        for job in as_completed(jobs):
            key = jobs[job]
            if job.exception() is not None:  # one row must not end the others
                print(key, job.exception(), file=sys.stderr)
                continue
            rows = [row for row in rows if {name: row[name] for name in key} != key]
            rows = sorted([*rows, {**key, **job.result()}], key=lambda row: (row["set"], row["photos"], row["drawn"]))
            write(out, record("python -m bench.sfm.few", rows=rows))
    return int(any(job.exception() is not None for job in jobs))


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown: before, and after."""
    lines = [
        "| set | photos | ladder: placed | error | PSNR | with learned: placed | error | PSNR | rung or failure | s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        after = row["after"]
        end = after.get("rung") or after["message"].split("at least 5.")[-1].strip()
        lines.append(
            f"| {row['set']} | {row['photos']}, {row['drawn']} | {' | '.join(_cells(row['before']))} "
            f"| {' | '.join(_cells(after))} | {end} | {after['wall_s']:.0f} |"
        )
    return "\n".join(lines)


def _cells(found: Row) -> tuple[str, str, str]:
    error = f"{found['max_percent']:.2f} %" if "max_percent" in found else ""
    return str(found["placed"]), error, f"{found['psnr_db']:.1f}" if "psnr_db" in found else ""


def drawn(folder: Path, count: int) -> dict[str, list[str]]:
    """File names by the way that they are drawn; nothing for a set that is too small."""
    names = sorted(path.name for path in folder.iterdir() if meant_as_photo(path))
    ways = {}
    if count <= len(names):
        ways["whole"] = [names[i * len(names) // count] for i in range(count)]
    if 2 * count < len(names):
        ways["every second"] = names[: 2 * count : 2]
    return ways


def _row(folder: str, names: list[str], gpu: str | None, preset: str | None) -> Row:
    with tempfile.TemporaryDirectory() as work:
        sources = [Source(name=name, path=Path(folder) / name) for name in names]
        photos = prepare(sources, Path(work) / "photos", side_max_px=SFM_SIDE_PX).photos
        search = _Search(photos=photos, folder=Path(folder), gpu=gpu, preset=preset)
        with mock.patch.object(rung, "PHOTOS_MAX", 0):
            before = search.run(Path(work) / "before", None)
        matches = Path(work) / "copy.db"
        shutil.copyfile(Path(work) / "before/matches.db", matches)
        return {"before": before, "after": search.run(Path(work) / "after", matches)}


@dataclass(frozen=True, kw_only=True)
class _Search:
    """gpu: torch device of features and of training; preset: of training, None for none."""

    photos: Sequence[Photo]
    folder: Path
    gpu: str | None
    preset: str | None

    def run(self, work: Path, matches: Path | None) -> Row:
        wall, seconds = time.monotonic(), cpu_s()
        preset = SfmPreset(threads=cpu_count(), gpu=self.gpu)
        try:
            model = cameras.reconstruct(preset, self.photos, work, resume_from=matches)
        except JobError as error:
            row: Row = {"placed": 0, "message": error.message}
        else:
            row = {
                "placed": len(model.cameras),
                "points": len(model.points),
                "rung": model.rung,
                "error_px": round(model.reprojection_error_px, 2),
                "notes": list(model.notes),
            }
            truth = truth_of(self.folder, work)
            if truth is not None:
                row |= centre_errors({camera.name: list(camera.centre) for camera in model.cameras}, truth)
        row |= {"wall_s": round(time.monotonic() - wall, 1), "cpu_s": round(cpu_s() - seconds, 1)}
        return row | self._trained(model) if row["placed"] and self.preset else row

    def _trained(self, model: SparseModel) -> Row:
        posed = posed_photos(transform(model, find_frame(model)), {photo.name: photo.path for photo in self.photos})
        device = Device.CUDA if self.gpu else Device.CPU
        numbers = resolve_preset(PresetName(self.preset), device, len(posed.views))
        try:
            found = train(posed, numbers, TrainContext(device=device, seed=0)).metrics
        except TrainingFailed as error:
            return {"training": str(error)}
        return {"psnr_db": round(found.psnr_db, 2), "ssim": round(found.ssim, 3), "held_out": len(found.names)}


def truth_of(folder: Path, work: Path) -> Path | None:
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
    parser.add_argument("--gpu", help="torch device of features, learned features and training")
    parser.add_argument("--train", choices=list(PresetName), help="preset to train both results with")
    parser.add_argument("--at-once", type=int, default=1, help="processes")
    parser.add_argument("--table", action="store_true", help="print few.json as a table")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
