"""How seconds and memory grow: camera search with photos (and beside plain pycolmap), training with Gaussians.
Writes bench/growth.json.

    python -m bench.growth [PHOTOS_DIR ...] [--runs 3] [--resume]    # sets that COLMAP's defaults place whole

Every figure comes from a process of its own and is written when it is measured; `--resume` skips those that the file
has. Scenes of 11 to 100 photos are drawn (a table and boxes, 640x480, two rounds): the same scene from more places.
5 000 to 80 000 Gaussians are trained on the sample photos at two sizes, with a constant count, for enough steps to
time one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap

from bench.photo_set import SAMPLES, SFM_SIDE_PX, at_width, clean_photos, posed_set, set_name
from bench.record import BENCH, ROOT, arguments, cpu_s, in_own_process, medians, peak_mb, record, write
from splat_worker.limits import cpu_count
from splat_worker.sfm import cameras
from splat_worker.sfm.preset import SfmPreset
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.trainer import train

PHOTO_COUNTS = (11, 24, 50, 100)
GAUSSIAN_COUNTS = (5_000, 20_000, 80_000)
WIDTHS_PX = (260, 520)
WARM_STEPS, STEPS = 5, 40

Row = dict[str, Any]


def main() -> int:
    args = _arguments()
    if args.one:
        name, *values = json.loads(args.one)
        with tempfile.TemporaryDirectory(prefix="growth-") as work:
            print(json.dumps(MEASURES[name](Path(work), *values)))
        return 0
    out = args.out / "growth.json"
    tables: dict[str, list[Row]] = {"gaussians": [], "beside_pycolmap": [], "photos": []}
    if args.resume and out.exists():
        before = json.loads(out.read_text())
        tables = {name: before.get(name, []) for name in tables}

    def measure(table: str, case: list[object], runs: int = 1, **named: object) -> None:
        if any(named.items() <= row.items() for row in tables[table]):
            return
        rows = [in_own_process("bench.growth", case) for _ in range(runs)]
        tables[table].append({**named, "runs": runs, **medians(rows, list(rows[0]))})
        write(out, record("python -m bench.growth", **tables))

    for width in WIDTHS_PX:
        for count in GAUSSIAN_COUNTS:
            measure("gaussians", ["train", count, width], width_px=width, gaussians=count)
    for folder in args.photos or [SAMPLES]:
        for name in ("sfm", "pycolmap"):
            measure("beside_pycolmap", [name, str(folder)], args.runs, set=set_name(folder), by=name)
    for count in PHOTO_COUNTS:
        measure("photos", ["drawn", count], photos=count)
    return 0


def drawn(work: Path, count: int) -> Row:
    """Cameras of `count` drawn photos."""
    sys.path.insert(0, str(ROOT / "tests/unit/splat_worker"))
    from drawn_scene import draw

    folder = work / "drawn"
    folder.mkdir()
    draw(folder, count=count, width=640, height=480)
    return ours(work, str(folder))


def ours(work: Path, folder: str) -> Row:
    photos = clean_photos(Path(folder), work, SFM_SIDE_PX)
    wall, seconds = time.monotonic(), cpu_s()
    found = cameras.reconstruct(SfmPreset(threads=cpu_count()), photos, work / "sfm")
    return _found(len(photos), len(found.cameras), wall, seconds)


def plain(work: Path, folder: str) -> Row:
    """COLMAP's three calls with its defaults, on the photos as they came and at the same size.

    Our clean photos no longer have the focal length that COLMAP reads, so matches would take longer to verify."""
    wall, seconds = time.monotonic(), cpu_s()
    database = work / "plain.db"
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = SFM_SIDE_PX
    pycolmap.set_random_seed(0)
    pycolmap.extract_features(database, folder, extraction_options=options)
    pycolmap.match_exhaustive(database)
    models = pycolmap.incremental_mapping(database, folder, work)
    placed = max((model.num_reg_images() for model in models.values()), default=0)
    return _found(len(list(Path(folder).iterdir())), placed, wall, seconds)


def _found(given: int, placed: int, wall: float, seconds: float) -> Row:
    took = {"wall_s": round(time.monotonic() - wall, 1), "cpu_s": round(cpu_s() - seconds, 1)}
    return {"given": given, "placed": placed, **took, "peak_mb": peak_mb()}


def steps(_: Path, count: int, width_px: int) -> Row:
    """Milliseconds of one step with `count` Gaussians; the first steps, which load kernels, are left out."""
    posed = at_width(posed_set(SAMPLES), width_px)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(posed.points), count)
    spread = 0.01 * np.ptp(posed.points, axis=0)
    points = (posed.points[chosen] + rng.normal(size=(count, 3)) * spread).astype(np.float32)
    posed = replace(posed, points=points, point_colours=posed.point_colours[chosen])
    numbers = {"size_px": width_px, "gaussians_max": count, "coarse": (), "densify_until": 0.0, "sh_degree": 0}

    def run(steps: int) -> tuple[float, float]:
        preset = resolve_preset(PresetName.PREVIEW, Device.CPU, len(posed.views), {"steps": steps, **numbers})
        wall, seconds = time.monotonic(), cpu_s()
        train(posed, preset, TrainContext())
        return time.monotonic() - wall, cpu_s() - seconds

    few, many = run(WARM_STEPS), run(WARM_STEPS + STEPS)
    wall, cpu = (round(1000 * (b - a) / STEPS, 1) for a, b in zip(few, many, strict=True))
    return {"wall_ms_per_step": wall, "cpu_ms_per_step": cpu, "peak_mb": peak_mb()}


MEASURES = {"train": steps, "drawn": drawn, "sfm": ours, "pycolmap": plain}


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="*", type=Path, help="sets to compare with pycolmap; the samples if none")
    parser.add_argument("--runs", type=int, default=3, help="runs beside pycolmap; the file has medians")
    parser.add_argument("--resume", action="store_true", help="skip the rows that growth.json has")
    parser.add_argument("--out", type=Path, default=BENCH, help="folder of growth.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
