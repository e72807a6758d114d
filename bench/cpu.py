"""Time against held-out PSNR of CPU training, ours and (where its binary is given) OpenSplat's, on the same photos.
Measures and writes down; trains nothing by rules of its own. Results: bench/cpu.json, bench/cpu.svg.

    python bench/cpu.py [PHOTOS_DIR ...] [--opensplat BINARY] [--widths 260 520] [--seeds 3] [--resume]

Cameras are found once per set and kept in bench/_out. Every run is a process of its own; seconds are CPU seconds (user
and system) of training alone, wall seconds beside them, as a shared machine makes the latter mean little. Both trainers
get the same undistorted photos at the same size, the same cameras and points, and the same photos are held out
(every 8th); both results are rendered and measured by the same code. Every run is written down as it ends; with
`--resume` those that the file has already are not repeated, so that the whole can be done in pieces.
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
from cpu_opensplat import train_opensplat, write_project  # noqa: E402
from cpu_plot import plot  # noqa: E402

from splat_worker.export.ply import read_ply  # noqa: E402
from splat_worker.photos import validation  # noqa: E402
from splat_worker.scene import PosedPhotos, View  # noqa: E402
from splat_worker.sfm import cameras, frame  # noqa: E402
from splat_worker.sfm.preset import SfmPreset  # noqa: E402
from splat_worker.sfm.undistort import posed_photos  # noqa: E402
from splat_worker.train.context import Device, TrainContext  # noqa: E402
from splat_worker.train.evaluate import measure  # noqa: E402
from splat_worker.train.photos import resized, split_views  # noqa: E402
from splat_worker.train.presets import PresetName, resolve_preset  # noqa: E402
from splat_worker.train.runtime import usable_cores  # noqa: E402
from splat_worker.train.trainer import train  # noqa: E402

OUT = ROOT / "bench" / "_out"
SFM_SIDE_PX = 1000
OUR_STEPS = (200, 400, 800, 1600, 3200)
# schedules that bring OpenSplat's densification into a short run (its own are made for 30 000 steps on a GPU)
OPENSPLAT_STEPS = (500, 1000)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training to do. trainer: "ours" or the path of an OpenSplat binary."""

    photos: str
    width_px: int
    steps: int
    seed: int
    trainer: str

    def row(self) -> dict[str, object]:
        """What names this case in the results."""
        return {
            "set": set_name(Path(self.photos)),
            "trainer": "ours" if self.trainer == "ours" else "opensplat",
            "width_px": self.width_px,
            "steps": self.steps,
            "seed": self.seed,
        }


def main() -> int:
    """Runs every case in a process of its own. Returns the exit status."""
    args = _arguments()
    if args.one:
        print(json.dumps(run(Case(**json.loads(args.one)))))
        return 0
    ours = [("ours", steps, seed) for seed in range(args.seeds) for steps in args.steps]
    theirs = [
        (str(args.opensplat), steps, seed)
        for seed in range(args.opensplat_runs)
        for steps in args.opensplat_steps
        if args.opensplat
    ]
    kept = args.out / "cpu.json"
    rows = json.loads(kept.read_text())["runs"] if args.resume and kept.exists() else []
    done = {_key(row) for row in rows}
    for folder in args.photos or [ROOT / "samples" / "photos"]:
        posed_set(folder)
        for width in args.widths:
            for trainer, steps, seed in [*theirs, *ours]:
                case = Case(photos=str(folder), width_px=width, steps=steps, seed=seed, trainer=trainer)
                if _key(case.row()) in done:
                    continue
                rows.append(in_own_process(case))
                print(_line(rows[-1]), file=sys.stderr)
                write(rows, args.out)
    write(rows, args.out)
    print(json.dumps(ratios(medians(rows)), indent=1))
    return 0


def write(rows: list[dict[str, object]], out: Path) -> None:
    """cpu.json and cpu.svg of what is measured so far."""
    summary = medians(rows)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "ratios": ratios(summary),
        "medians": summary,
        "runs": rows,
    }
    (out / "cpu.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / "cpu.svg").write_text(plot(summary))


def run(case: Case) -> dict[str, object]:
    """Trains and measures one case in this process."""
    posed = at_width(posed_set(Path(case.photos)), case.width_px)
    training, held_out = split_views(posed)
    load = os.getloadavg()[0]
    wall, cpu = time.monotonic(), cpu_s()
    if case.trainer == "ours":
        preset = resolve_preset(
            PresetName.PREVIEW, Device.CPU, len(posed.views), {"size_px": 8192, "steps": case.steps}
        )
        gaussians = train(posed, preset, TrainContext(seed=case.seed)).gaussians
    else:
        work = OUT / "opensplat" / f"{set_name(Path(case.photos))}-{case.width_px}-{case.steps}"
        write_project(work, training, posed)
        wall, cpu = time.monotonic(), cpu_s()  # handing over the photos is not its time
        gaussians = read_ply(train_opensplat(Path(case.trainer), case.steps, work))
    wall, cpu = time.monotonic() - wall, cpu_s() - cpu
    figures, _ = measure(gaussians, held_out, Device.CPU)
    who = resource.RUSAGE_SELF if case.trainer == "ours" else resource.RUSAGE_CHILDREN
    return {
        **case.row(),
        "psnr_db": round(figures.psnr_db, 2),
        "psnr_fitted_db": round(figures.psnr_fitted_db, 2),
        "ssim": round(figures.ssim, 4),
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "load": round(load, 1),
        "gaussians": len(gaussians),
        "peak_mb": round(resource.getrusage(who).ru_maxrss / 1024),
    }


def in_own_process(case: Case) -> dict[str, object]:
    """`run` in a fresh interpreter, for honest memory and CPU figures."""
    command = [sys.executable, __file__, "--one", json.dumps(case.__dict__)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def set_name(folder: Path) -> str:
    """The folder's name, its parent's where it is called photos."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "photos" else folder.name


def posed_set(folder: Path) -> PosedPhotos:
    """Cameras of a folder of photos, found once and kept under bench/_out."""
    kept = OUT / f"{set_name(folder)}.npz"
    if kept.exists():
        return _load(kept)
    work = OUT / f"{set_name(folder)}-sfm"
    sources = [
        validation.Source(name=path.name, path=path) for path in sorted(folder.iterdir()) if path.suffix == ".jpg"
    ]
    clean = validation.prepare(sources, work / "photos", side_max_px=SFM_SIDE_PX)
    model = cameras.reconstruct(SfmPreset(threads=usable_cores()), clean.photos, work / "sfm")
    model = frame.transform(model, frame.find_frame(model))
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


def ratios(summary: list[dict[str, object]]) -> list[dict[str, object]]:
    """For every OpenSplat median: our cheapest whole run that is at least as good, and its share of the CPU seconds.

    Nothing is interpolated between runs. `cpu_share` is None where no run of ours is as good.
    """
    out = []
    for theirs in (row for row in summary if row["trainer"] == "opensplat"):
        ours = [r for r in summary if r["trainer"] == "ours" and all(r[k] == theirs[k] for k in ("set", "width_px"))]
        for figure in ("psnr_db", "psnr_fitted_db"):
            enough = [row for row in ours if row[figure] >= theirs[figure]]
            first = min(enough, key=lambda row: row["cpu_s"]) if enough else None
            out.append(
                {
                    **{key: theirs[key] for key in ("set", "width_px")},
                    "figure": figure,
                    "opensplat_steps": theirs["steps"],
                    "opensplat_db": theirs[figure],
                    "opensplat_cpu_s": theirs["cpu_s"],
                    "our_steps": first and first["steps"],
                    "our_db": first and first[figure],
                    "our_cpu_s": first and first["cpu_s"],
                    "cpu_share": first and round(first["cpu_s"] / theirs["cpu_s"], 3),
                }
            )
    return out


def _key(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[key] for key in ("set", "trainer", "width_px", "steps", "seed"))


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


def cpu_s() -> float:
    """User and system seconds of this process and of its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def machine() -> dict[str, object]:
    """What figures of this file depend on."""
    return {"cpu": _cpu_name(), "cores": usable_cores(), "python": platform.python_version()}


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _line(row: dict[str, object]) -> str:
    return "  ".join(
        f"{key} {row[key]}"
        for key in ("set", "trainer", "width_px", "steps", "psnr_db", "psnr_fitted_db", "cpu_s", "wall_s")
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, help="folders of photos; the samples if none")
    parser.add_argument("--opensplat", type=Path, help="an OpenSplat 1.2 binary to compare with")
    parser.add_argument("--widths", nargs="+", type=int, default=[260, 520], metavar="PX")
    parser.add_argument("--seeds", type=int, default=3, help="runs of ours for each number of steps")
    parser.add_argument("--steps", nargs="*", type=int, default=list(OUR_STEPS), help="lengths of our runs")
    parser.add_argument("--opensplat-steps", nargs="*", type=int, default=list(OPENSPLAT_STEPS), help="of its runs")
    parser.add_argument("--opensplat-runs", type=int, default=1, help="runs of it for each number of steps")
    parser.add_argument("--resume", action="store_true", help="go on with the runs that cpu.json has")
    parser.add_argument("--out", type=Path, default=ROOT / "bench", help="folder of cpu.json and cpu.svg")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
