"""Trains a table of overrides on several sets, to see what a preset's number does before it is changed.

    python -m bench.gpu.variants TABLE.json SET_FOLDER... --out FILE.jsonl [--preset standard] [--seeds 1]

TABLE.json: {"name of a variant": {"field of Preset": value, ...}, ...}; {} is the preset itself. Appends one JSON line
per run. Several of these can share a GPU; their seconds can then not be compared.
"""

from __future__ import annotations

import json
from pathlib import Path

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba loads
from bench.gpu import ours
from bench.photo_set import read_posed
from bench.record import arguments
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset

WHOLE_SIZE = {"size_px": 8192}


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", type=PresetName, default=PresetName.STANDARD)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--marks", type=int, default=4)
    options = parser.parse_args()
    table = json.loads(options.table.read_text())
    posed = {folder.name: read_posed(folder) for folder in options.sets}
    with options.out.open("a") as out:
        for name, overrides in table.items():
            for seed in range(options.seeds):
                ends = []
                for label, photos in posed.items():
                    preset = resolve_preset(options.preset, Device.CUDA, len(photos.views), {**WHOLE_SIZE, **overrides})
                    run = ours.curve(photos, preset, seed=seed, marks=options.marks, with_ssim=True)
                    del run["_fit"]
                    out.write(json.dumps({"name": name, "set": label, "over": overrides, **run}) + "\n")
                    out.flush()
                    end = run["rows"][-1]
                    ends.append(f"{label} {end['psnr']:.2f}/{end['psnr_fitted']:.2f}/{end['ssim']:.3f}")
                print(f"{name:24} seed {seed}: {'  '.join(ends)}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
