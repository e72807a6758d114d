"""CPU training: held-out PSNR against time, ours and OpenSplat's, on the same photos.
Writes bench/cpu.json and bench/cpu.svg.

    python -m bench.cpu [PHOTOS_DIR ...] [--opensplat BINARY] [--widths 260 520] [--seeds 3] [--resume]

Cameras are found once per set and cached in bench/_out. Every run is a process of its own. Seconds are CPU seconds
(user and system) of training alone; wall seconds mean little on a shared machine. Both trainers get the same
undistorted photos, cameras and points, and every 8th photo is held out. The same code renders and measures both
results. Every run is written when it ends, and `--resume` skips the runs that the file already has.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.photo_set import CACHE, SAMPLES, at_width, posed_set, set_name, write_posed
from bench.plot import Line, plot
from bench.record import BENCH, arguments, cpu_s, in_own_process, medians, peak_mb, record, write
from splat_worker.export.ply import read_ply
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.metrics import measure
from splat_worker.train.core.photos import split_views
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.render import render
from splat_worker.train.trainer import train

OUR_STEPS = (200, 400, 800, 1600, 3200)
# Schedules that bring OpenSplat's densification into a short run.
OPENSPLAT_STEPS = (500, 1000)
# OpenMP threads that spin while they wait make it 2 to 5 times slower beside any other process.
QUIET_THREADS = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"}
FIGURES = ("psnr_db", "psnr_fitted_db", "ssim", "cpu_s", "wall_s", "gaussians", "peak_mb")
COLOURS = {"ours": "#0b6e4f", "opensplat": "#b5541c"}

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training. trainer: "ours" or the path of an OpenSplat binary."""

    photos: str
    width_px: int
    steps: int
    seed: int
    trainer: str

    @property
    def set(self) -> str:
        return set_name(Path(self.photos))

    def row(self) -> Row:
        """What identifies this case in the results."""
        trainer = "ours" if self.trainer == "ours" else "opensplat"
        return {"set": self.set, "trainer": trainer, **{k: getattr(self, k) for k in ("width_px", "steps", "seed")}}


def main() -> int:
    args = _arguments()
    if args.one:
        print(json.dumps(run(Case(**json.loads(args.one)))))
        return 0
    before = args.out / "cpu.json"
    rows: list[Row] = json.loads(before.read_text())["runs"] if args.resume and before.exists() else []
    done = [_key(row) for row in rows]
    for folder in args.photos or [SAMPLES]:
        posed_set(folder)
        for case in cases(folder, args):
            if _key(case.row()) not in done:
                rows.append(in_own_process("bench.cpu", asdict(case)))
                save(rows, args.out)
    save(rows, args.out)
    print(json.dumps(ratios(summary(rows)), indent=1))
    return 0


def cases(folder: Path, args: argparse.Namespace) -> list[Case]:
    ours = [("ours", steps, seed) for seed in range(args.seeds) for steps in args.steps]
    runs = range(args.opensplat_runs if args.opensplat else 0)
    theirs = [(str(args.opensplat), steps, seed) for seed in runs for steps in args.opensplat_steps]
    return [
        Case(photos=str(folder), width_px=width, steps=steps, seed=seed, trainer=trainer)
        for width in args.widths
        for trainer, steps, seed in [*theirs, *ours]
    ]


def save(rows: list[Row], out: Path) -> None:
    """cpu.json and cpu.svg of what is measured so far."""
    means = summary(rows)
    write(out / "cpu.json", record("make bench-cpu", ratios=ratios(means), medians=means, runs=rows))
    panels: dict[str, list[Line]] = {}
    for name, px in sorted({(row["set"], row["width_px"]) for row in means}):
        for trainer, colour in COLOURS.items():
            own = [row for row in means if (row["set"], row["width_px"], row["trainer"]) == (name, px, trainer)]
            if points := [(row["cpu_s"], row["psnr_db"]) for row in own]:
                line = Line(label=trainer, colour=colour, points=points)
                panels.setdefault(f"{name}, {px} px", []).append(line)
    (out / "cpu.svg").write_text(plot(panels, "CPU seconds"))


def run(case: Case) -> Row:
    """Trains and measures one case in this process."""
    posed = at_width(posed_set(Path(case.photos)), case.width_px)
    training, held_out = split_views(posed)
    load = os.getloadavg()[0]
    if case.trainer == "ours":
        numbers = {"size_px": 8192, "steps": case.steps}
        preset = resolve_preset(PresetName.PREVIEW, Device.CPU, len(posed.views), numbers)
        wall, cpu = time.monotonic(), cpu_s()
        gaussians = train(posed, preset, TrainContext(seed=case.seed)).gaussians
    else:
        work = CACHE / "opensplat" / f"{case.set}-{case.width_px}-{case.steps}"
        shutil.rmtree(work, ignore_errors=True)
        write_posed(replace(posed, views=training), work)
        wall, cpu = time.monotonic(), cpu_s()  # without handing over the photos
        gaussians = read_ply(train_opensplat(Path(case.trainer), case.steps, work))
    wall, cpu = time.monotonic() - wall, cpu_s() - cpu
    pictures = {v.name: np.rint(render(gaussians, v.camera) * 255.0).astype(np.uint8) for v in held_out}
    figures = measure(pictures, held_out, Device.CPU)
    return {
        **case.row(),
        "psnr_db": round(figures.psnr_db, 2),
        "psnr_fitted_db": round(figures.psnr_fitted_db, 2),
        "ssim": round(figures.ssim, 4),
        "cpu_s": round(cpu, 1),
        "wall_s": round(wall, 1),
        "load": round(load, 1),
        "gaussians": len(gaussians),
        "peak_mb": peak_mb(resource.RUSAGE_SELF if case.trainer == "ours" else resource.RUSAGE_CHILDREN),
    }


def train_opensplat(binary: Path, steps: int, work: Path) -> Path:
    """Trains on the folder `work` for `steps` iterations; returns its PLY, in our frame. Raises RuntimeError.

    Its own schedule is for 30 000 steps on a GPU: it would not densify at all in so short a run, and after
    `--densify-until` it moves the optimiser only in every 32nd step. So it densifies to the end, which gave the best
    result of the schedules tried.
    """
    scene = work / "scene.ply"
    command = [
        str(binary.resolve()),
        str(work),
        *("-n", str(steps), "-d", "1", "-o", str(scene)),
        *("--densify-from", "100", "--refine-every", "100" if steps <= 1000 else "150"),
        *("--densify-until", str(steps)),
    ]
    done = subprocess.run(command, env={**os.environ, **QUIET_THREADS}, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not scene.exists():
        raise RuntimeError(f"OpenSplat ended with {done.returncode}: {(done.stdout + done.stderr)[-800:]}")
    return scene


def summary(rows: Sequence[Row]) -> list[Row]:
    """Median over seeds of every figure, with the spread of the PSNR."""
    keys = ("set", "trainer", "width_px", "steps")
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    out = []
    for values, group in groups.items():
        levels = [row["psnr_db"] for row in group]
        spread = round(max(levels) - min(levels), 2)
        named = dict(zip(keys, values, strict=True))
        out.append({**named, **medians(group, FIGURES), "runs": len(group), "psnr_spread_db": spread})
    return out


def ratios(means: Sequence[Row]) -> list[Row]:
    """For every OpenSplat median: our cheapest whole run that is at least as good, and its share of the CPU seconds.

    Nothing is interpolated between runs. `cpu_share` is None where no run of ours is as good.
    """
    out = []
    for theirs in (row for row in means if row["trainer"] == "opensplat"):
        ours = [r for r in means if r["trainer"] == "ours" and all(r[k] == theirs[k] for k in ("set", "width_px"))]
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


def _key(row: Row) -> list[object]:
    return [row[key] for key in ("set", "trainer", "width_px", "steps", "seed")]


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="*", type=Path, help="folders of photos; the samples if none")
    parser.add_argument("--opensplat", type=Path, help="an OpenSplat 1.2 binary to compare with")
    parser.add_argument("--widths", nargs="+", type=int, default=[260, 520], metavar="PX")
    parser.add_argument("--seeds", type=int, default=3, help="our runs for each number of steps")
    parser.add_argument("--steps", nargs="*", type=int, default=list(OUR_STEPS), help="lengths of our runs")
    parser.add_argument("--opensplat-steps", nargs="*", type=int, default=list(OPENSPLAT_STEPS))
    parser.add_argument("--opensplat-runs", type=int, default=1, help="its runs for each number of steps")
    parser.add_argument("--resume", action="store_true", help="skip the runs that cpu.json has")
    parser.add_argument("--out", type=Path, default=BENCH, help="folder of cpu.json and cpu.svg")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
