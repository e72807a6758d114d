"""The GPU benchmark: our trainer, and other trainers if their files are given, on the same photos.
Writes bench/gpu.json, and bench/plots/gpu-SET.svg: PSNR against seconds.

    python -m bench.gpu.run SET_FOLDER... [--script examples/simple_trainer.py --strategies default mcmc]
        [--faster-gs NERFICG FASTER_GS] [--seeds 3] [--peer-seeds 1] [--peer-limit-s 200]

A set is an undistorted COLMAP folder (images/, sparse/); `python -m bench.photo_set` makes one from photos.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba loads
from bench.gpu import ours
from bench.gpu.peer import MARKS
from bench.photo_set import read_posed
from bench.plot import Line, plot
from bench.record import BENCH, arguments, record, write
from splat_worker.scene import PosedPhotos
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cuda.densification import split as split_columns
from splat_worker.train.cuda.engine import Engine
from splat_worker.train.cuda.layout import tiles_of

SWEEP = (50_000, 100_000, 200_000, 400_000, 1_000_000, 3_000_000)
SWEEP_SIZES_PX = (600, 1200)
# Both trainers see and are measured on the photos as they are in the set's folder.
WHOLE_SIZE = {"size_px": 8192}
# The default strategy gains nothing after 7000 steps on such sets, MCMC does.
PEER_MARKS = {"default": MARKS, "mcmc": (3000, 5000, 7000, 10_000, 15_000)}


COLOURS = {
    "preview": "#c2702a",
    "standard": "#2563a8",
    "high": "#3c7d3c",
    "default": "#777",
    "mcmc": "#b0488f",
    "faster-gs": "#8a6d1a",
}
NAMES = {"default": "simple_trainer", "mcmc": "simple_trainer, MCMC", "faster-gs": "Faster-GS"}


def gpu() -> dict[str, object]:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    return {"gpu": torch.cuda.get_device_name(0), "driver": driver, "torch": torch.__version__}


def train_ours(posed: PosedPhotos, seeds: Sequence[int], presets: Sequence[PresetName]) -> list[dict[str, object]]:
    """Every preset with every seed, after one short uncounted run."""
    warm = resolve_preset(PresetName.PREVIEW, Device.CUDA, len(posed.views), {"steps": 60, **WHOLE_SIZE})
    ours.curve(posed, warm, seed=0)
    rows = []
    for name in presets:
        for seed in seeds:
            preset = resolve_preset(name, Device.CUDA, len(posed.views), WHOLE_SIZE)
            run = ours.curve(posed, preset, seed=seed, marks=14, with_ssim=True)
            fit = run.pop("_fit")
            if name is PresetName.STANDARD and seed == seeds[0]:
                run["profile"] = ours.profile(fit)
            rows.append({"preset": name.value, "steps": preset.steps, **run})
            last = run["rows"][-1]
            print(f"  {name.value} seed {seed}: {last} {run['peak_mib']} MiB", file=sys.stderr, flush=True)
            del fit
    return rows


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One run of another trainer. module: our harness around its script; arguments: beside the set."""

    name: str
    seed: int
    module: str
    arguments: tuple[str, ...]


def peers_of(options: argparse.Namespace) -> list[Peer]:
    """Each requested trainer once per strategy and seed."""
    seeds = range(42, 42 + options.peer_seeds)
    found = []
    if options.script:
        for name in options.strategies:
            marks = ("--marks", *map(str, PEER_MARKS[name]))
            arguments = ("--script", str(options.script), "--strategy", name, *marks)
            found += [Peer(name=name, seed=s, module="bench.gpu.peer_gsplat", arguments=arguments) for s in seeds]
    if options.faster_gs:
        arguments = ("--source", *map(str, options.faster_gs), "--schedule", "7000")
        found += [Peer(name="faster-gs", seed=s, module="bench.gpu.peer_fastergs", arguments=arguments) for s in seeds]
    return found


def train_peers(peers: Sequence[Peer], folder: Path, limit_s: float, scratch: Path) -> list[dict[str, object]]:
    """Each peer on one set. A run stopped at the limit keeps the marks that it reached."""
    found = []
    # Without it, a gsplat built for other architectures compiles again, inside the run's time limit.
    architecture = ".".join(map(str, torch.cuda.get_device_capability(0)))
    environment = {"TORCH_CUDA_ARCH_LIST": architecture, **os.environ}
    for peer in peers:
        label = f"peer {peer.name} seed {peer.seed}"
        out = scratch / f"peer_{folder.name}_{peer.name}_{peer.seed}.json"
        command = [sys.executable, "-W", "ignore", "-m", peer.module, "--data", str(folder), "--out", str(out)]
        command += ["--seed", str(peer.seed), *peer.arguments]
        with out.with_suffix(".log").open("w") as log:
            try:
                subprocess.run(
                    command, check=False, timeout=limit_s, stdout=log, stderr=subprocess.STDOUT, env=environment
                )
            except subprocess.TimeoutExpired:
                print(f"  {label} was stopped at {limit_s} s", file=sys.stderr)
        if out.exists():
            found.append(json.loads(out.read_text()))
            print(f"  {label}: {found[-1]['rows'][-1]}", file=sys.stderr, flush=True)
        else:
            print(f"  {label} wrote nothing; its log: {out.with_suffix('.log')}", file=sys.stderr, flush=True)
    return found


def seconds_to(rows: Sequence[dict[str, float]], target: float) -> float | None:
    """When a curve first reaches `target` dB, linear between its marks; None if it never does."""
    before = None
    for row in rows:
        if row["psnr"] >= target:
            if before is None:
                return row["seconds"]
            part = (target - before["psnr"]) / (row["psnr"] - before["psnr"])
            return before["seconds"] + part * (row["seconds"] - before["seconds"])
        before = row
    return None


def sweep(posed: PosedPhotos) -> list[dict[str, object]]:
    """Steps per second against Gaussians and pixels: a trained scene whose Gaussians are split until they suffice."""
    preset = resolve_preset(
        PresetName.PREVIEW, Device.CUDA, len(posed.views), {"gaussians_max": 100_000, "steps": 1500, **WHOLE_SIZE}
    )
    fit = ours.curve(posed, preset, seed=0, marks=1)["_fit"].backend
    base, scene = fit.engine.params.clone(), fit.engine.gaussians(0)
    rows = []
    for size_px in SWEEP_SIZES_PX:
        views = fit.photos.at(size_px)
        for count in SWEEP:
            columns = base
            while columns.shape[1] < count:
                near, far = split_columns(columns[:, : count - columns.shape[1]])
                columns = torch.cat([near, columns[:, near.shape[1] :], far], 1)
            columns = columns[:, :count]
            camera = max((v.camera for v in views), key=lambda c: c.width * c.height)
            pixels = camera.width * camera.height
            engine = Engine(
                scene.select(slice(0, 1)),
                capacity=count,
                views=len(views),
                pixels_max=pixels,
                tiles_max=tiles_of(camera.width, camera.height),
            )
            zeros = torch.zeros_like(columns)
            engine.replace(columns, (zeros, zeros))
            del zeros
            for i in range(2 * len(views)):
                engine.step(views[i % len(views)], Rates(mean=0.0), degree=3)
            torch.cuda.synchronize()
            began = time.perf_counter()
            steps = 100
            for i in range(steps):
                engine.step(views[i % len(views)], Rates(mean=0.0), degree=3)
            torch.cuda.synchronize()
            seconds = time.perf_counter() - began
            rows.append({"gaussians": count, "pixels": pixels, "steps_per_s": round(steps / seconds, 1)})
            print(f"  sweep {rows[-1]}", file=sys.stderr, flush=True)
            del engine, columns
    return rows


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--script", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peer-seeds", type=int, default=1)
    parser.add_argument("--peer-limit-s", type=float, default=200.0)
    parser.add_argument("--strategies", nargs="+", choices=list(PEER_MARKS), default=["default"])
    parser.add_argument("--faster-gs", type=Path, nargs=2, metavar=("NERFICG", "FASTER_GS"), help="two checkouts")
    parser.add_argument("--presets", nargs="+", default=["preview", "standard"])
    parser.add_argument("--out", type=Path, default=BENCH / "gpu.json")
    options = parser.parse_args()
    sets: dict[str, dict[str, Any]] = {}
    report = record("make bench-gpu", **gpu(), sets=sets)
    for folder in options.sets:
        print(folder.name, file=sys.stderr, flush=True)
        photos = read_posed(folder)
        height, width = photos.views[0].image.shape[:2]
        facts: dict[str, Any] = {"views": len(photos.views), "size": [width, height], "points": len(photos.points)}
        sets[folder.name] = facts
        facts["ours"] = train_ours(photos, range(options.seeds), [PresetName(p) for p in options.presets])
        write(options.out, report)
        if peers := peers_of(options):
            facts["peers"] = train_peers(peers, folder, options.peer_limit_s, options.out.parent)
            facts["to_their_quality"] = compare(facts)
            write(options.out, report)
        drawn = plot({f"{folder.name}, {width}x{height}, {report['gpu']}": lines(facts)}, "seconds of training")
        (BENCH / "plots" / f"gpu-{folder.name}.svg").write_text(drawn)
    report["sweep"] = sweep(photos)
    write(options.out, report)
    print(json.dumps({name: facts.get("to_their_quality") for name, facts in sets.items()}))
    return 0


def lines(facts: dict[str, Any]) -> list[Line]:
    runs = [(run["preset"], run) for run in facts["ours"]]
    runs += [(peer["strategy"], peer) for peer in facts.get("peers", [])]
    return [
        Line(
            label=NAMES.get(name, name),
            colour=COLOURS[name],
            points=[(row["seconds"], row["psnr"]) for row in run["rows"]],
        )
        for name, run in runs
    ]


def compare(facts: dict[str, list]) -> list[dict[str, object]]:
    """Per run of the peer: our seconds to the PSNR of its last and of its best mark, for each of our runs."""
    found = []
    for peer in facts["peers"]:
        marks = {"last": peer["rows"][-1], "best": max(peer["rows"], key=lambda row: row["psnr"])}
        for what, mark in marks.items():
            ours_s = {f"{run['preset']}-{run['seed']}": seconds_to(run["rows"], mark["psnr"]) for run in facts["ours"]}
            figures = {key: mark[key] for key in ("step", "psnr", "seconds")}
            found.append({"strategy": peer["strategy"], "what": what, **figures, "ours_s": ours_s})
    return found


if __name__ == "__main__":
    raise SystemExit(main())
