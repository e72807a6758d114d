"""PSNR and SSIM of trained scenes at views beside the path of the photos, on drawn scenes with true cameras.
Writes bench/off_path.json, and pictures at 30 degrees if asked.

    python -m bench.off_path [--scenes table wall lane] [--size 320] [--device cpu] [--preset preview] [--seeds 2]
        [--photos N ...] [--set KEY=NUMBER ...] [--pictures FOLDER] [--out FILE]

A scene is drawn once and cached in bench/_out. Every run is a process of its own. `--photos` trains on that many of
the 24 photos, evenly chosen. `--set` replaces numbers of the preset: `--set any_background=0` trains over black,
without a backdrop.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba loads
from bench.off_path.photo_sets import photo_set
from bench.off_path.scenes import SCENES
from bench.record import BENCH, arguments, cpu_s, in_own_process, record, write
from splat_worker.scene import PosedPhotos, UInt8, View
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.metrics import measure
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.render import render
from splat_worker.train.trainer import train

PICTURED_DEG = 30
PICTURED = 3  # views of a row


@dataclass(frozen=True, kw_only=True)
class Case:
    """One training run. photos: how many of the set's, 0 for all; numbers: of the preset; pictures: folder or empty."""

    scene: str
    size_px: int
    device: str
    preset: str
    seed: int
    photos: int
    numbers: dict[str, float]
    pictures: str


def main() -> int:
    options = _arguments()
    if options.one:
        print(json.dumps(run(Case(**json.loads(options.one)))))
        return 0
    rows = [
        in_own_process("bench.off_path", asdict(case))
        for case in (
            Case(
                scene=scene,
                size_px=options.size,
                device=options.device,
                preset=options.preset,
                seed=seed,
                photos=photos,
                numbers=dict(options.set),
                pictures=str(options.pictures or ""),
            )
            for photos in options.photos
            for scene in options.scenes
            for seed in range(options.seeds)
        )
    ]
    write(options.out, record(" ".join(["python -m bench.off_path", *sys.argv[1:]]), rows=rows))
    return 0


def run(case: Case) -> dict[str, Any]:
    """Trains and measures one case in this process."""
    drawn, device = photo_set(case.scene, case.size_px), Device(case.device)
    posed = some_of(drawn.posed, case.photos)
    # The command line gives floats; fields that count want whole numbers.
    numbers = {key: int(value) if value == int(value) else value for key, value in case.numbers.items()}
    numbers = {"size_px": case.size_px, **numbers}
    preset = resolve_preset(PresetName(case.preset), device, len(posed.views), numbers)
    wall, cpu = time.monotonic(), cpu_s()
    trained = train(posed, preset, TrainContext(device=device, seed=case.seed))
    row: dict[str, Any] = {
        **{key: value for key, value in asdict(case).items() if key != "pictures"},
        "gaussians": len(trained.gaussians),
        "wall_s": round(time.monotonic() - wall, 1),
        "cpu_s": round(cpu_s() - cpu, 1),
        "held_out": {"psnr_db": round(trained.metrics.psnr_db, 2), "ssim": round(trained.metrics.ssim, 4)},
    }
    for angle, views in drawn.beside.items():
        pictures = {
            view.name: np.rint(render(trained.gaussians, view.camera, device) * 255.0).astype(np.uint8)
            for view in views
        }
        whole = measure(pictures, tuple(replace(view, mask=None) for view in views), device)
        shown = measure(pictures, views, device)
        row[str(angle)] = {
            "psnr_db": round(whole.psnr_db, 2),
            "ssim": round(whole.ssim, 4),
            "psnr_shown_db": round(shown.psnr_db, 2),
        }
        if case.pictures and angle == PICTURED_DEG:
            save_pictures(Path(case.pictures), case, views, pictures)
    return row


def some_of(posed: PosedPhotos, count: int) -> PosedPhotos:
    """`count` of the photos, evenly chosen; all of them for 0."""
    if count == 0:
        return posed
    rows = np.unique(np.linspace(0, len(posed.views) - 1, count).round().astype(int))
    return replace(posed, views=tuple(posed.views[i] for i in rows))


def save_pictures(folder: Path, case: Case, views: Sequence[View], pictures: dict[str, UInt8]) -> None:
    """The truth above, the trained scene below."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[view.image for view in views[:PICTURED]], [pictures[view.name] for view in views[:PICTURED]]]
    name = f"{case.scene}-{case.device}-{case.photos or 'all'}-{case.seed}.jpg"
    Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows])).save(folder / name, quality=88)


def _number(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    return key, float(value)


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES))
    parser.add_argument("--size", type=int, default=320, help="width of the photos, px")
    parser.add_argument("--device", choices=list(Device), default=Device.CPU.value)
    parser.add_argument("--preset", choices=list(PresetName), default=PresetName.PREVIEW.value)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--photos", type=int, nargs="+", default=[0])
    parser.add_argument("--set", type=_number, nargs="+", default=[], metavar="KEY=NUMBER")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--out", type=Path, default=BENCH / "off_path.json")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
