"""Training for few views: scenes trained on N photos of a set whose cameras all of its photos gave, measured on photos
between them. So that only the training differs. Writes one JSON line per run as it ends.

    python -m bench.sfm.training PHOTOS_DIR ... --out FILE.jsonl [--counts 5 6 8 12 20] [--variants TABLE.json]
        [--drawn whole] [--device cuda] [--preset standard] [--seeds 1] [--seconds 400] [--at-once 4]

The table maps a name to numbers of the preset: {"base": {}, "half": {"gaussians_max": "x0.5"}, "clear": {"sh_degree":
1}}; "x0.5" multiplies the number of the preset. The first variant runs on all sets before the second, and no run
begins after --seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pycolmap

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba loads
from bench.photo_set import SFM_SIDE_PX, clean_photos, set_name
from bench.record import arguments
from bench.sfm.few import COUNTS, drawn
from splat_worker.errors import JobError
from splat_worker.limits import cpu_count
from splat_worker.scene import PosedPhotos, View
from splat_worker.sfm import cameras
from splat_worker.sfm.frame.similarity import find_frame, transform
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.undistort import posed_photos
from splat_worker.train import loop
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.preset import Preset, PresetName, resolve_preset
from splat_worker.train.trainer import train

MEASURED_MAX = 6
SEES_MIN = 2  # of the photos trained on, for a point to be known


@dataclass(frozen=True, kw_only=True)
class Whole:
    """All photos of a set with cameras. sees: (photos, points) bool, in the order of posed.views."""

    posed: PosedPhotos
    sees: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run. names: photos to train on; measured: photos to measure on."""

    set: str
    photos: int
    drawn: str
    names: tuple[str, ...]
    measured: tuple[str, ...]
    device: str
    preset: str
    variant: str = "base"
    numbers: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


def main() -> int:
    args = _arguments()
    began = time.monotonic()
    table: dict[str, dict[str, Any]] = json.loads(args.variants.read_text()) if args.variants else {"base": {}}
    # Processes, as Python's lock would make one wait for the other's steps.
    context = get_context("spawn")
    with ProcessPoolExecutor(args.at_once, context) as pool:
        found = pool.map(whole, args.photos, [args.gpu] * len(args.photos))
        wholes = {set_name(folder): one for folder, one in zip(args.photos, found, strict=True) if one is not None}
    for name, one in wholes.items():
        print(name, len(one.posed.views), "placed", round(time.monotonic() - began), "s", flush=True)
    cases = [
        Case(**asdict(case) | {"variant": variant, "numbers": numbers, "seed": seed})
        for seed in range(args.seeds)
        for variant, numbers in table.items()
        for count in args.counts
        for folder in args.photos
        if set_name(folder) in wholes
        for way, names in drawn(folder, count).items()
        if args.drawn is None or way in args.drawn
        for case in _cases(wholes[set_name(folder)], set_name(folder), way, names, args)
    ]
    with ProcessPoolExecutor(args.at_once, context, _receive, (wholes, began + args.seconds)) as pool:
        jobs = [pool.submit(run, case) for case in cases]
        for job in as_completed(jobs):
            row = job.result()
            if row is not None:
                with args.out.open("a") as out:
                    out.write(json.dumps(row) + "\n")
    return 0


def _cases(
    given: Whole,
    name: str,
    way: str,
    names: Sequence[str],
    args: argparse.Namespace,
) -> Iterator[Case]:
    """The photos of one case, if all are placed and some lie between them."""
    placed = sorted(view.name for view in given.posed.views)
    trained = [photo for photo in names if photo in placed]
    between = [photo for photo in placed if photo not in trained and trained[0] < photo < trained[-1]]
    if len(trained) < len(names) or not between:
        return
    measured = tuple(between[i * len(between) // MEASURED_MAX] for i in range(min(MEASURED_MAX, len(between))))
    if len(between) <= MEASURED_MAX:
        measured = tuple(between)
    yield Case(
        set=name, photos=len(names), drawn=way, names=tuple(trained), measured=measured,
        device=args.device, preset=args.preset,
    )  # fmt: skip


def whole(folder: Path, gpu: str | None) -> Whole | None:
    """Cameras of all photos, and who sees which point. None if there is no scene."""
    made: list[pycolmap.Reconstruction] = []
    real = cameras._as_sparse

    def kept(model: pycolmap.Reconstruction, *args: Any, **more: Any) -> Any:
        made.append(model)
        return real(model, *args, **more)

    with tempfile.TemporaryDirectory() as work, mock.patch.object(cameras, "_as_sparse", kept):
        photos = clean_photos(folder, Path(work), SFM_SIDE_PX)
        try:
            model = cameras.reconstruct(SfmPreset(threads=cpu_count(), gpu=gpu), photos, Path(work) / "sfm")
        except JobError as error:
            print(set_name(folder), error.message, flush=True)
            return None
        model = transform(model, find_frame(model))
        posed = posed_photos(model, {photo.name: photo.path for photo in photos})
    row_of = {photo.path.name: photo.name for photo in photos}
    rows = {view.name: row for row, view in enumerate(posed.views)}
    points = [
        point
        for point in made[-1].points3D.values()
        if point.error <= cameras.POINT_ERROR_MAX_PX and point.track.length() >= cameras.TRACK_MIN
    ]
    sees = np.zeros((len(posed.views), len(points)), bool)
    for column, point in enumerate(points):
        for element in point.track.elements:
            sees[rows[row_of[made[-1].images[element.image_id].name]], column] = True
    return Whole(posed=posed, sees=sees)


_WHOLES: dict[str, Whole] = {}
_ENDS: list[float] = []


def _receive(wholes: dict[str, Whole], end: float) -> None:
    """Gives a process what all of its runs need."""
    _WHOLES.update(wholes)
    _ENDS.append(end)


def run(case: Case) -> dict[str, Any] | None:
    """One run; None if it would begin too late."""
    if time.monotonic() > _ENDS[-1]:
        return None
    given, device = _WHOLES[case.set], Device(case.device)
    by_name = {view.name: view for view in given.posed.views}
    training = tuple(by_name[name] for name in case.names)
    measured = tuple(by_name[name] for name in case.measured)
    rows = [row for row, view in enumerate(given.posed.views) if view.name in case.names]
    known = given.sees[rows].sum(0) >= SEES_MIN
    posed = replace(
        given.posed,
        views=training,
        points=given.posed.points[known],
        point_colours=given.posed.point_colours[known],
    )
    began = time.monotonic()
    row = asdict(case) | {"points": int(known.sum())}

    def split(_: PosedPhotos) -> tuple[tuple[View, ...], tuple[View, ...]]:
        return training, measured

    try:
        preset = numbers_of(PresetName(case.preset), device, len(training), case.numbers)
        with mock.patch.object(loop, "split_views", split):
            trained = train(posed, preset, TrainContext(device=device, seed=case.seed))
    except Exception as error:  # one run must not end the others
        return row | {"failed": repr(error)[:300]}
    found = trained.metrics
    return row | {
        "steps": trained.steps,
        "gaussians": len(trained.gaussians),
        "psnr_db": round(found.psnr_db, 3),
        "psnr_fitted_db": round(found.psnr_fitted_db, 3),
        "ssim": round(found.ssim, 4),
        "seconds": round(time.monotonic() - began, 1),
    }


def numbers_of(name: PresetName, device: Device, photos: int, over: Mapping[str, Any]) -> Preset:
    """The preset with these numbers; "x0.5" multiplies the preset's own."""
    base = asdict(resolve_preset(name, device, photos))
    chosen = {
        key: type(base[key])(base[key] * float(value[1:])) if isinstance(value, str) else value
        for key, value in over.items()
    }
    return resolve_preset(name, device, photos, chosen)


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("photos", nargs="+", type=Path, help="folders of photos")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--drawn", nargs="+", help="ways that photos are drawn in (bench.sfm.few), all by default")
    parser.add_argument("--variants", type=Path, help="JSON file of the variants")
    parser.add_argument("--device", choices=list(Device), default=Device.CPU.value)
    parser.add_argument("--gpu", help="torch device that finds features")
    parser.add_argument("--preset", choices=list(PresetName), default=PresetName.PREVIEW.value)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1e9, help="no run begins later")
    parser.add_argument("--at-once", type=int, default=1, help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
