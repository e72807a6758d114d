"""Time against held-out PSNR of CPU training, ours and (where its binary is given) OpenSplat's, on the same photos.
Measures and writes down; trains nothing by rules of its own. Results: bench/cpu.json, bench/cpu.svg.

    python bench/cpu.py [PHOTOS_DIR ...] [--opensplat BINARY] [--widths 260 520] [--seeds 3]

Cameras are found once per set and kept in bench/_out. Every run is a process of its own; seconds are CPU seconds (user
and system) of training alone, wall seconds beside them, as a shared machine makes the latter mean little. Both trainers
get the same undistorted photos at the same size, the same cameras and points, and the same photos are held out
(every 8th); both results are rendered and measured by the same code.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "worker_image" / "src"), str(ROOT / "bench")]

import numpy as np  # noqa: E402
from cpu_opensplat import train_opensplat  # noqa: E402
from cpu_plot import plot  # noqa: E402

from splat_worker import frame, photos, sfm  # noqa: E402
from splat_worker.ply import read_ply  # noqa: E402
from splat_worker.scene import PosedPhotos, View  # noqa: E402
from splat_worker.train.context import Device, TrainContext  # noqa: E402
from splat_worker.train.evaluate import measure  # noqa: E402
from splat_worker.train.photos import resized, split_views  # noqa: E402
from splat_worker.train.presets import PresetName, resolve_preset  # noqa: E402
from splat_worker.train.runtime import usable_cores  # noqa: E402
from splat_worker.train.trainer import train  # noqa: E402
from splat_worker.undistort import posed_photos  # noqa: E402

OUT = ROOT / "bench" / "_out"
SFM_SIDE_PX = 1000
OUR_STEPS = (200, 400, 800, 1600, 3200)
# schedules that bring OpenSplat's densification into a short run (its own are made for 30 000 steps on a GPU)
OPENSPLAT_STEPS = (500, 1000, 2700)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training to do. trainer: "ours" or the path of an OpenSplat binary."""

    photos: str
    width_px: int
    steps: int
    seed: int
    trainer: str


def main() -> int:
    """Runs every case in a process of its own. Returns the exit status."""
    args = _arguments()
    if args.one:
        print(json.dumps(run(Case(**json.loads(args.one)))))
        return 0
    folders = args.photos or [ROOT / "samples" / "photos"]
    trainers = [("ours", OUR_STEPS, args.seeds)]
    if args.opensplat:
        trainers.append((str(args.opensplat), OPENSPLAT_STEPS, 1))
    rows = []
    for folder in folders:
        posed_set(folder)
        for width in args.widths:
            for trainer, steps_list, seeds in trainers:
                for steps in steps_list:
                    for seed in range(seeds):
                        case = Case(photos=str(folder), width_px=width, steps=steps, seed=seed, trainer=trainer)
                        rows.append(in_own_process(case))
                        print(_line(rows[-1]), file=sys.stderr)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cpu": _cpu_name(), "cores": usable_cores(), "python": platform.python_version()},
        "load_at_start": os.getloadavg()[0],
        "runs": rows,
        "medians": medians(rows),
    }
    (args.out / "cpu.json").write_text(json.dumps(result, indent=1) + "\n")
    (args.out / "cpu.svg").write_text(plot(result["medians"]))
    print(json.dumps(result["medians"], indent=1))
    return 0


def run(case: Case) -> dict[str, object]:
    """Trains and measures one case in this process."""
    posed = at_width(posed_set(Path(case.photos)), case.width_px)
    training, held_out = split_views(posed)
    wall, cpu = time.monotonic(), _cpu_s()
    if case.trainer == "ours":
        preset = resolve_preset(
            PresetName.PREVIEW, Device.CPU, len(posed.views), {"size_px": 8192, "steps": case.steps}
        )
        gaussians = train(posed, preset, TrainContext(seed=case.seed)).gaussians
    else:
        work = OUT / "opensplat" / f"{Path(case.photos).name}-{case.width_px}-{case.steps}"
        gaussians = read_ply(train_opensplat(Path(case.trainer), training, posed, case.steps, work))
    wall, cpu = time.monotonic() - wall, _cpu_s() - cpu
    figures, _ = measure(gaussians, held_out, Device.CPU)
    who = resource.RUSAGE_SELF if case.trainer == "ours" else resource.RUSAGE_CHILDREN
    return {
        "set": Path(case.photos).name,
        "trainer": "ours" if case.trainer == "ours" else "opensplat",
        "width_px": case.width_px,
        "steps": case.steps,
        "seed": case.seed,
        "psnr_db": round(figures.psnr_db, 2),
        "psnr_fitted_db": round(figures.psnr_fitted_db, 2),
        "ssim": round(figures.ssim, 4),
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "gaussians": len(gaussians),
        "peak_mb": round(resource.getrusage(who).ru_maxrss / 1024),
    }


def in_own_process(case: Case) -> dict[str, object]:
    """`run` in a fresh interpreter, for honest memory and CPU figures."""
    command = [sys.executable, __file__, "--one", json.dumps(case.__dict__)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def posed_set(folder: Path) -> PosedPhotos:
    """Cameras of a folder of photos, found once and kept under bench/_out."""
    kept = OUT / f"{folder.name}.npz"
    if kept.exists():
        return _load(kept)
    work = OUT / f"{folder.name}-sfm"
    sources = [photos.Source(name=path.name, path=path) for path in sorted(folder.iterdir()) if path.suffix == ".jpg"]
    clean = photos.prepare(sources, work / "photos", side_max_px=SFM_SIDE_PX)
    model = sfm.reconstruct(sfm.SfmPreset(threads=usable_cores()), clean.photos, work / "sfm")
    model = frame.stand(model, frame.find_frame(model))
    posed = posed_photos(model, {photo.name: photo.path for photo in clean.photos})
    _save(kept, posed)
    return posed


def at_width(posed: PosedPhotos, width_px: int) -> PosedPhotos:
    """The same set with photos resized to that longer side."""
    return replace(posed, views=tuple(resized(view, width_px) for view in posed.views))


def medians(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Median over seeds of every figure, with the spread of the PSNR."""
    keys = ("set", "trainer", "width_px", "steps")
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    out = []
    for group in groups.values():
        first = {key: group[0][key] for key in keys}
        for figure in ("psnr_db", "psnr_fitted_db", "ssim", "cpu_s", "wall_s", "gaussians", "peak_mb"):
            first[figure] = statistics.median(row[figure] for row in group)
        values = [row["psnr_db"] for row in group]
        out.append({**first, "runs": len(group), "psnr_spread_db": round(max(values) - min(values), 2)})
    return out


def _save(path: Path, posed: PosedPhotos) -> None:
    arrays: dict[str, np.ndarray] = {"points": posed.points, "colours": posed.point_colours}
    for i, view in enumerate(posed.views):
        arrays |= {f"image_{i}": view.image, f"pose_{i}": view.world_to_camera, f"k_{i}": view.k}
        if view.mask is not None:
            arrays[f"mask_{i}"] = view.mask
    arrays["names"] = np.array([view.name for view in posed.views])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def _load(path: Path) -> PosedPhotos:
    with np.load(path) as file:
        a = {name: file[name] for name in file.files}
    views = tuple(
        View(
            name=str(name),
            image=a[f"image_{i}"],
            world_to_camera=a[f"pose_{i}"],
            k=a[f"k_{i}"],
            mask=a.get(f"mask_{i}"),
        )
        for i, name in enumerate(a["names"])
    )
    return PosedPhotos(views=views, points=a["points"], point_colours=a["colours"])


def _cpu_s() -> float:
    """User and system seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _line(row: dict[str, object]) -> str:
    return "  ".join(
        f"{key} {row[key]}" for key in ("set", "trainer", "width_px", "steps", "psnr_db", "cpu_s", "wall_s")
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, help="folders of photos; the samples if none")
    parser.add_argument("--opensplat", type=Path, help="an OpenSplat 1.2 binary to compare with")
    parser.add_argument("--widths", nargs="+", type=int, default=[260, 520], metavar="PX")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="folder of cpu.json and cpu.svg")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
