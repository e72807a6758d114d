"""How seconds and memory grow: SfM with photos (and beside plain pycolmap), training with Gaussians.
Measures the worker's own rooms on this CPU; every figure comes from a process of its own. Results: bench/growth.json,
and the same as tables in bench/growth.md. Every row is written down as it is measured; with `--resume` those that the
file has are not measured again, so that the whole can be done in pieces.

    python bench/growth.py [PHOTOS_DIR ...] [--runs 3] [--resume]    # sets that COLMAP's defaults place whole

Photos of 11 to 100 are drawn (a table and boxes, 640x480, two rounds): the same scene from more places. Gaussians of
5 000 to 80 000 are trained on the sample photos at two sizes, without growing, for as many steps as are needed to
tell the seconds of one.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [
    str(ROOT / part) for part in ("worker_image/src", "bench", "tests/unit/splat_worker") if (ROOT / part).is_dir()
]

import cpu  # noqa: E402
import numpy as np  # noqa: E402

from splat_worker.train.context import Device, TrainContext  # noqa: E402
from splat_worker.train.presets import PresetName, resolve_preset  # noqa: E402
from splat_worker.train.runtime import usable_cores  # noqa: E402
from splat_worker.train.trainer import train  # noqa: E402

PHOTO_COUNTS = (11, 24, 50, 100)
GAUSSIAN_COUNTS = (5_000, 20_000, 80_000)
WIDTHS_PX = (260, 520)
WARM_STEPS, STEPS = 5, 40


def main() -> int:
    """Measures everything, one process each. Returns the exit status."""
    args = _arguments()
    if args.one:
        name, *values = json.loads(args.one)
        print(json.dumps(_measured(name, values)))
        return 0
    kept = args.out / "growth.json"
    result: dict[str, Any] = json.loads(kept.read_text()) if args.resume and kept.exists() else {}
    result |= {"date": datetime.now(UTC).date().isoformat(), "machine": cpu.machine()}

    def measure(table: str, case: list[object], runs: int = 1, **named: object) -> None:
        rows = result.setdefault(table, [])
        if any(named.items() <= row.items() for row in rows):
            return
        rows.append(_median([_own_process(case) for _ in range(runs)], **named))
        kept.write_text(json.dumps(result, indent=1) + "\n")
        (args.out / "growth.md").write_text(page(result))

    for width in WIDTHS_PX:
        for count in GAUSSIAN_COUNTS:
            measure("gaussians", ["train", count, width], width_px=width, gaussians=count)
    for folder in args.photos or [ROOT / "samples" / "photos"]:
        for name in ("sfm", "pycolmap"):
            measure("beside_pycolmap", [name, str(folder)], args.runs, set=cpu.set_name(folder), by=name)
    for count in PHOTO_COUNTS:
        measure("photos", ["drawn", count], photos=count)
    print(page(result))
    return 0


def page(result: Mapping[str, Any]) -> str:
    """growth.md: the rows as tables, with the power of the count that seconds grew by since the row before."""
    machine = result["machine"]
    out = [
        "# Growth",
        "",
        f"Written by `bench/growth.py` on {result['date']}: {machine['cpu']}, {machine['cores']} cores, by CPU seconds"
        " (user and system): the machine had other work, so wall seconds say little.",
        "",
        *_grown("Training, 24 photos", result.get("gaussians", ()), "gaussians", "cpu_ms_per_step", "width_px"),
        *_grown("Finding cameras, photos of a drawn scene", result.get("photos", ()), "photos", "cpu_s", "placed"),
    ]
    pairs: dict[str, dict[str, Any]] = {}
    for row in result.get("beside_pycolmap", ()):
        pairs.setdefault(row["set"], {})[row["by"]] = row
    whole = {name: pair for name, pair in pairs.items() if len(pair) == 2}
    if whole:
        out += ["## Finding cameras beside plain pycolmap", ""]
        out += ["| set | by | placed | CPU s | times pycolmap's | peak MiB |", "|---|---|---|---|---|---|"]
        for name, pair in whole.items():
            for by in ("pycolmap", "sfm"):
                row, times = pair[by], pair[by]["cpu_s"] / pair["pycolmap"]["cpu_s"]
                out.append(
                    f"| {name} | {'plain pycolmap' if by == 'pycolmap' else 'this worker'} | {row['placed']:g} of"
                    f" {row['given']:g} | {row['cpu_s']:g} | {times:.2f} | {row['peak_mb']:g} |"
                )
        out.append("")
    return "\n".join(out)


def _grown(title: str, rows: Sequence[Mapping[str, Any]], by: str, cost: str, beside: str) -> list[str]:
    if not rows:
        return []
    out = [f"## {title}", ""]
    out += [f"| {by} | {beside} | {cost} | grows as {by} to the power of | peak MiB |", "|---|---|---|---|---|"]
    for before, row in zip((None, *rows), rows, strict=False):
        power = "-"
        if before is not None and before[by] < row[by] and before[cost] > 0 < row[cost]:
            power = f"{math.log(row[cost] / before[cost]) / math.log(row[by] / before[by]):.2f}"
        out.append(f"| {row[by]} | {row[beside]:g} | {row[cost]:g} | {power} | {row['peak_mb']:g} |")
    return [*out, ""]


def _measured(name: str, values: list[object]) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="growth-") as scratch:
        work = Path(scratch)
        if name == "train":
            return _train(int(values[0]), int(values[1]))  # type: ignore[call-overload]
        if name == "drawn":
            from drawn_scene import draw

            (work / "drawn").mkdir()
            draw(work / "drawn", count=int(values[0]), width=640, height=480)  # type: ignore[call-overload]
            return _find_cameras("sfm", work / "drawn", work)
        return _find_cameras(name, Path(str(values[0])), work)


def _find_cameras(by: str, folder: Path, work: Path) -> dict[str, object]:
    from splat_worker.photos import validation

    sources = [validation.Source(name=p.name, path=p) for p in sorted(folder.iterdir()) if p.suffix.lower() == ".jpg"]
    clean = validation.prepare(sources, work / "photos", side_max_px=cpu.SFM_SIDE_PX)
    wall, seconds = time.monotonic(), cpu.cpu_s()
    placed = _plain(folder, work) if by == "pycolmap" else _ours(clean.photos, work)
    return {
        "given": len(clean.photos),
        "placed": placed,
        "wall_s": round(time.monotonic() - wall, 1),
        "cpu_s": round(cpu.cpu_s() - seconds, 1),
        "peak_mb": _peak_mb(),
    }


def _ours(clean, work: Path) -> int:
    from splat_worker.sfm import cameras
    from splat_worker.sfm.preset import SfmPreset

    return len(cameras.reconstruct(SfmPreset(threads=usable_cores()), clean, work / "sfm").cameras)


def _plain(folder: Path, work: Path) -> int:
    """COLMAP's three calls with its defaults, on the photos as they came (our clean ones have lost the focal length
    that it reads, and verifying matches with one takes longer), looked at in the same size."""
    import pycolmap

    database = work / "plain.db"
    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size = cpu.SFM_SIDE_PX
    pycolmap.set_random_seed(0)
    pycolmap.extract_features(database, folder, extraction_options=options)
    pycolmap.match_exhaustive(database)
    models = pycolmap.incremental_mapping(database, folder, work)
    return max((model.num_reg_images() for model in models.values()), default=0)


def _train(count: int, width_px: int) -> dict[str, object]:
    """Seconds of one step with `count` Gaussians; the first steps (loading kernels) are left out."""
    posed = cpu.at_width(cpu.posed_set(ROOT / "samples" / "photos"), width_px)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(posed.points), count)
    spread = 0.01 * np.ptp(posed.points, axis=0)
    points = (posed.points[chosen] + rng.normal(size=(count, 3)) * spread).astype(np.float32)
    posed = replace(posed, points=points, point_colours=posed.point_colours[chosen])

    def run(steps: int) -> tuple[float, float]:
        numbers = {
            "steps": steps,
            "size_px": width_px,
            "gaussians_max": count,
            "coarse": (),
            "densify_until": 0.0,
            "sh_degree": 0,
        }
        preset = resolve_preset(PresetName.PREVIEW, Device.CPU, len(posed.views), numbers)
        wall, seconds = time.monotonic(), cpu.cpu_s()
        train(posed, preset, TrainContext())
        return time.monotonic() - wall, cpu.cpu_s() - seconds

    few, many = run(WARM_STEPS), run(WARM_STEPS + STEPS)
    wall, seconds = ((b - a) / STEPS for a, b in zip(few, many, strict=True))
    return {
        "wall_ms_per_step": round(1000 * wall, 1),
        "cpu_ms_per_step": round(1000 * seconds, 1),
        "peak_mb": _peak_mb(),
    }


def _own_process(case: list[object]) -> dict[str, object]:
    command = [sys.executable, __file__, "--one", json.dumps(case)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row = json.loads(done.stdout.splitlines()[-1])
    print(case, row, file=sys.stderr)
    return row


def _median(rows: list[dict[str, object]], **named: object) -> dict[str, object]:
    return {**named, "runs": len(rows), **{key: statistics.median(row[key] for row in rows) for key in rows[0]}}


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "photos", nargs="*", type=Path, help="sets to find cameras of beside pycolmap; the samples if none"
    )
    parser.add_argument("--runs", type=int, default=3, help="runs beside pycolmap, medians are kept")
    parser.add_argument("--resume", action="store_true", help="keep the rows that growth.json has")
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="folder of growth.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
