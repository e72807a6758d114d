"""A ladder of mappers, from COLMAP's own thresholds to the global mapper, of which the best model wins.
Reads the matches of a database; never decides what a photo looks like or how a scene stands.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from splat_worker.photos.door import Photo
from splat_worker.sfm.agreement import share_of_matches_explained
from splat_worker.sfm.kept import Begun
from splat_worker.sfm.preset import OnProgress, SfmPreset

log = logging.getLogger(__name__)

ENOUGH_SHARE = 0.7
"""From this share of placed photos on, a rung that finds nothing more ends the climb: the next ones cost minutes on
large sets and bring strangers a place that is not theirs."""
RANDOM_SEED = 0
EXPLAINED_MIN = 0.85
"""Share of verified matches that a model of a later rung must explain (agreement.py: right ones 0.91 and more,
folded ones 0.74 to 0.78)."""
MODEL_ERROR_MAX_PX_PER_1000 = 1.2
"""Mean reprojection error above which a model of a later rung counts as wrong, per 1000 px of the longer side. Right
models of all sets we know come to 0.24 to 0.9; the global mapper once placed 12 of 12 photos, a third of the
scene's extent off, at 2.1 (1.34 px at 640 px)."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One attempt of the ladder; the incremental mapper unless `is_global`.

    init_min_angle_deg: between the first two cameras (COLMAP: 16); init_max_forward: share of their motion along the
    line of sight (COLMAP: 0.95); init_min_inliers: matches of the first pair (COLMAP: 100); pose_min_inliers: to
    place one more photo (COLMAP: 30); seeds: runs of the mapper, of which the first that places all is the last.
    """

    name: str
    init_min_angle_deg: float = 16.0
    init_max_forward: float = 0.95
    init_min_inliers: int = 100
    pose_min_inliers: int = 30
    is_global: bool = False
    seeds: int = 1


LADDER = (
    Rung(name="default"),
    Rung(name="relaxed", init_min_angle_deg=4.0, init_max_forward=1.0, init_min_inliers=30, pose_min_inliers=15),
    Rung(name="loose", init_min_angle_deg=1.5, init_max_forward=1.0, init_min_inliers=30, pose_min_inliers=15),
    Rung(name="global", is_global=True, seeds=3),
)
"""A walk along a street fails the first rung (2 of 29 photos: its first pair sees things ahead, nearly without an
angle) and passes the others. The global mapper takes a second and finds nothing with two seeds out of three on the
smallest of such sets, hence its three tries."""
SNAPSHOT_EVERY_PHOTOS = 10
"""How many more photos are placed between two models that could be gone on from: 3 MB each and a twentieth of a second
with 50 photos, which are placed in 9 s of 2 cores."""
GROWTH_BETWEEN_ADJUSTMENTS = 1.4
"""By how much photos or points grow before all cameras are adjusted together again (COLMAP: 1.1). On five sets of
24 to 50 photos that takes 8 to 30 % of the mapper's time away (24 photos from a drone: 5.2 s to 3.8 on two cores),
places the same photos, and their points lie 0.01 px nearer or within 0.001 px as far off."""
SETTLED_AT = 1e-6
"""Relative change of the squared error at which an adjustment of some or all cameras is done (COLMAP: 0, all of its 50
steps). On three sets the same models within 0.001 px, in 0.83 to 0.94 of the mapper's time."""
ADJUSTED_BY_ONE_THREAD = 200_000
"""Residuals up to which one thread adjusts cameras (COLMAP: 50 000; 50 photos have 70 000). Two threads are no faster
there, and cost about an eighth more of the cores' time; more than two were not tried."""
RUNG_ENDS = (0.5, 0.75, 0.9, 1.0)
"""Share of the mapping's progress at which each rung ends: progress never falls back, however many are needed."""


OnBegun = Callable[[Begun], None]


def climb(
    preset: SfmPreset,
    photos: Sequence[Photo],
    database: Path,
    work_dir: Path,
    on_progress: OnProgress,
    *,
    begun: Begun | None = None,
    on_begun: OnBegun | None = None,
) -> tuple[pycolmap.Reconstruction | None, str, dict[str, int]]:
    """Try rungs until one places every photo (or most, and no more than the rung before); the best model of all.

    on_begun is given the cameras placed so far now and then; begun: such cameras, of the same database, which their
    rung goes on from. Rungs before it are run again.
    """
    best: pycolmap.Reconstruction | None = None
    best_rung, tried = "", {}
    for number, rung in enumerate(LADDER):
        started = time.monotonic()
        begin, end = (0.0, *RUNG_ENDS)[number], RUNG_ENDS[number]

        def within(fraction: float, message: str, begin: float = begin, end: float = end) -> None:
            on_progress(begin + (end - begin) * fraction, message)

        runner = _Runner(
            preset=preset,
            rung=rung,
            photos=photos,
            database=database,
            out=work_dir / rung.name,
            on_progress=within,
            on_begun=on_begun,
        )
        found = runner.run(begun if begun and begun.rung == rung.name else None)
        models = [model for model in found if rung is LADDER[0] or _plausible(model, photos, database)]
        model = max(models, key=merit, default=None)
        tried[rung.name] = model.num_reg_images() if model else 0
        log.info(
            "rung %s placed %d of %d in %.1f s", rung.name, tried[rung.name], len(photos), time.monotonic() - started
        )
        before = best.num_reg_images() if best else 0
        if model is not None and (best is None or merit(model) > merit(best)):
            best, best_rung = model, rung.name
        placed = best.num_reg_images() if best else 0
        seen = max((model.num_reg_images() for model in found), default=0)
        if is_top(placed, before=before, seen=seen, of=len(photos)):
            break
        if number + 1 < len(LADDER):
            on_progress(end, f"{placed} of {len(photos)} photos placed; trying {LADDER[number + 1].name} settings")
    return best, best_rung, tried


def is_top(placed: int, *, before: int, seen: int, of: int) -> bool:
    """Whether the climb ends at a rung: all photos are placed, or most are and the rung found no more of them.

    placed, before: photos of the best model with this rung and without; seen: of the rung's largest model, believed or
    not. A model of all photos that is folded tells that they hang together: the next rung may well get it right.
    """
    return placed == of or (placed == before and seen <= placed and placed >= ENOUGH_SHARE * of)


def _plausible(model: pycolmap.Reconstruction, photos: Sequence[Photo], database: Path) -> bool:
    """No scene is better than a wrong one: a folded model trains for minutes and shows fog."""
    side_px = max(max(photo.width, photo.height) for photo in photos)
    if model.compute_mean_reprojection_error() > MODEL_ERROR_MAX_PX_PER_1000 * max(side_px, 700) / 1000:
        return False
    return share_of_matches_explained(model, database) >= EXPLAINED_MIN


def merit(model: pycolmap.Reconstruction) -> tuple[int, float]:
    """Order of models: most photos first, then the lowest reprojection error."""
    return model.num_reg_images(), -model.compute_mean_reprojection_error()


@dataclass(frozen=True, kw_only=True)
class _Runner:
    """One rung on one database. out: a folder of its own."""

    preset: SfmPreset
    rung: Rung
    photos: Sequence[Photo]
    database: Path
    out: Path
    on_progress: OnProgress
    on_begun: OnBegun | None

    def run(self, begun: Begun | None) -> list[pycolmap.Reconstruction]:
        self.out.mkdir(exist_ok=True)
        if self.rung.is_global:
            return self._global()
        if begun is not None:
            models = self._gone_on_from(begun)
            if any(model.num_reg_images() == len(self.photos) for model in models):
                return models
            # the mapper makes no other model beside one that it was given, and another may be the larger one
            log.info("rung %s: not all photos joined the cameras of the checkpoint; placing anew", self.rung.name)
        return self._incremental(0, None)

    def _global(self) -> list[pycolmap.Reconstruction]:
        self.on_progress(0.1, "Placing all photos at once")
        found: list[pycolmap.Reconstruction] = []
        for seed in range(self.rung.seeds):
            options = pycolmap.GlobalPipelineOptions()
            options.num_threads = self.preset.threads
            options.random_seed = RANDOM_SEED + seed
            found += pycolmap.global_mapping(self.database, self._images, self.out, options=options).values()
            if any(model.num_reg_images() == len(self.photos) for model in found):
                break
        return found

    def _gone_on_from(self, begun: Begun) -> list[pycolmap.Reconstruction]:
        folder = self.out / "begun"
        begun.write(folder)
        try:
            placed = pycolmap.Reconstruction(folder).num_reg_images()
        except (RuntimeError, ValueError) as error:
            log.warning("the cameras of the checkpoint cannot be read: %s", type(error).__name__)
            return []
        log.info("rung %s goes on from %d placed photos", self.rung.name, placed)
        return self._incremental(placed, folder)

    def _incremental(self, placed: int, input_path: Path | None) -> list[pycolmap.Reconstruction]:
        snapshots = self.out / "snapshots"
        placed = max(placed, 2)

        def placed_one() -> None:
            nonlocal placed
            placed = min(placed + 1, len(self.photos))
            self.on_progress(placed / len(self.photos), f"Placing cameras: {placed} of {len(self.photos)}")
            if self.on_begun is not None and (models := sorted(snapshots.iterdir())):
                # the mapper waits for this call, so the newest is whole
                self.on_begun(Begun.of(self.rung.name, models[-1]))
                for model in models:
                    shutil.rmtree(model)

        options = self._options()
        if self.on_begun is not None:
            snapshots.mkdir(exist_ok=True)
            options.snapshot_path, options.snapshot_frames_freq = snapshots, SNAPSHOT_EVERY_PHOTOS
        models = pycolmap.incremental_mapping(
            self.database,
            self._images,
            self.out,
            options=options,
            input_path=input_path or "",
            next_image_callback=placed_one,
        )
        return list(models.values())

    @property
    def _images(self) -> Path:
        return self.photos[0].path.parent

    def _options(self) -> pycolmap.IncrementalPipelineOptions:
        rung, options = self.rung, pycolmap.IncrementalPipelineOptions()
        options.num_threads = self.preset.threads
        options.random_seed = RANDOM_SEED
        options.min_model_size = 3
        options.extract_colors = False  # of the first photo that sees a point; `reconstruct` takes the mean of all
        options.ba_global_frames_ratio = options.ba_global_points_ratio = GROWTH_BETWEEN_ADJUSTMENTS
        options.ba_local_function_tolerance = options.ba_global_function_tolerance = SETTLED_AT
        options.ba_min_num_residuals_for_cpu_multi_threading = ADJUSTED_BY_ONE_THREAD
        options.mapper.init_min_tri_angle = rung.init_min_angle_deg
        options.mapper.init_max_forward_motion = rung.init_max_forward
        options.mapper.init_min_num_inliers = rung.init_min_inliers
        options.mapper.abs_pose_min_num_inliers = rung.pose_min_inliers
        return options
