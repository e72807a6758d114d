"""Command line: render the sample set into a folder (`python -m samples.render samples`).

Only parses, loops and writes; for a quick look: `--size 320 --samples 8 --only 1 5`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import mitsuba as mi
import numpy as np

mi.set_variant("scalar_rgb")

from samples.render import truth  # noqa: E402
from samples.render.cameras import Intrinsics, hand_held_views  # noqa: E402
from samples.render.photo import denoise, develop, renderer  # noqa: E402
from samples.render.things import room, still_life  # noqa: E402

SEED = 20261123
EXPOSURE = 2.3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m samples.render", description=__doc__)
    parser.add_argument("out", type=Path, help="folder for photos/ and cameras.json")
    parser.add_argument("--size", type=int, default=640, help="width in pixels; the height is three quarters of it")
    parser.add_argument("--samples", type=int, default=12, help="rays per pixel, before the denoiser")
    parser.add_argument("--quality", type=int, default=84, help="JPEG quality")
    parser.add_argument(
        "--only", type=int, nargs="*", help="numbers of the photos to render; none writes only the truth"
    )
    args = parser.parse_args()

    rng = np.random.default_rng(SEED)
    intrinsics = Intrinsics(width_px=args.size, height_px=args.size * 3 // 4)
    views = hand_held_views()
    bars, lamps = room.window()
    parts = [*room.table(rng), *room.surroundings(rng), *bars, *still_life.everything(rng)]
    (args.out / "photos").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        scene = renderer.build(parts, lamps, Path(scratch))
        truth.write(args.out / "cameras.json", scene, views, intrinsics)
        for number, view in enumerate(views, start=1):
            if args.only is not None and number not in args.only:
                continue
            began = time.monotonic()
            size = {"samples": args.samples // 2}
            first = renderer.light(scene, view, intrinsics, seed=3 * number, **size)
            second = renderer.light(scene, view, intrinsics, seed=3 * number + 1, **size)
            guides = renderer.guides(scene, view, intrinsics, seed=3 * number + 2, **size)
            linear = denoise.clean(first, second, guides)
            pixels = develop.to_bytes(develop.film_curve(linear, EXPOSURE), rng)
            data = develop.jpeg(pixels, number=number, quality=args.quality)
            (args.out / "photos" / view.name).write_bytes(data)
            print(f"{view.name}  {time.monotonic() - began:5.1f} s  {len(data) / 1000:6.1f} kB", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
