"""A page of pictures: held-out photos beside what the scene shows from the same place. For looking, not for figures.
Trains with the worker's own preset; cameras and photos are those of bench/cpu.py. Results: bench/plots/pictures.webp.

    python bench/pictures.py [PHOTOS_DIR ...] [--preset preview]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "worker_image" / "src"), str(ROOT / "bench")]

import cpu  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

from splat_worker.metrics import psnr_db  # noqa: E402
from splat_worker.scene import View  # noqa: E402
from splat_worker.train.core.context import Device, TrainContext  # noqa: E402
from splat_worker.train.core.photos import resized, split_views  # noqa: E402
from splat_worker.train.core.preset import PresetName, resolve_preset  # noqa: E402
from splat_worker.train.trainer import train  # noqa: E402

SHOWN_PX = 400
PER_SET = 2
LABEL_PX, GAP_PX = 18, 6


def main() -> int:
    """One row per held-out photo: photo left, render right. Returns the exit status."""
    args = _arguments()
    rows = []
    for folder in args.photos or [ROOT / "samples" / "photos"]:
        posed = cpu.posed_set(folder)
        numbers = {"steps": args.steps} if args.steps else {}
        preset = resolve_preset(PresetName(args.preset), Device.CPU, len(posed.views), numbers)
        trained = train(posed, preset, TrainContext())
        _, held_out = split_views(posed)
        views = [resized(view, preset.size_px) for view in held_out]
        # the best alone would flatter: another one and the worst are shown
        quality = {view.name: _quality(trained.renders[view.name], view) for view in views}
        worst = min(views, key=lambda view: quality[view.name])
        for view in [next(v for v in views if v is not worst or len(views) == 1), worst][:PER_SET]:
            label = f"{cpu.set_name(folder)} {view.name}: photo, render {quality[view.name]:.1f} dB"
            rows.append(_row(view.image, trained.renders[view.name], label + (" (the worst)" if view is worst else "")))
    page = Image.new("RGB", (max(r.width for r in rows), sum(r.height + GAP_PX for r in rows)), "white")
    top = 0
    for row in rows:
        page.paste(row, (0, top))
        top += row.height + GAP_PX
    args.out.parent.mkdir(parents=True, exist_ok=True)
    page.save(args.out, quality=82)
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")
    return 0


def _quality(render: np.ndarray, view: View) -> float:
    """PSNR in dB."""
    mask = None if view.mask is None else torch.tensor(view.mask)
    return psnr_db(torch.tensor(render) / 255.0, torch.tensor(view.image) / 255.0, mask)


def _row(photo: np.ndarray, render: np.ndarray, label: str) -> Image.Image:
    pictures = []
    for pixels in (photo, render):
        picture = Image.fromarray(pixels)
        picture.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
        pictures.append(picture)
    row = Image.new("RGB", (2 * SHOWN_PX + GAP_PX, pictures[0].height + LABEL_PX), "white")
    ImageDraw.Draw(row).text((2, 3), label, fill="black")
    row.paste(pictures[0], (0, LABEL_PX))
    row.paste(pictures[1], (SHOWN_PX + GAP_PX, LABEL_PX))
    return row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path, help="folders of photos; the samples if none")
    parser.add_argument("--preset", choices=[name.value for name in PresetName], default="preview")
    parser.add_argument("--steps", type=int, help="steps in place of the preset's")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "plots" / "pictures.webp")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
