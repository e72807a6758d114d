"""A ladder of mappers, from COLMAP's default thresholds to the global mapper. The best model wins.
Reads the matches of a database and changes none.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping.agreement import share_of_matches_explained
from splat_worker.sfm.preset import OnProgress, SfmPreset
from splat_worker.sfm.resume import PartialModel

log = logging.getLogger(__name__)

ENOUGH_SHARE = 0.7
"""From this share of placed photos, a rung that places no more ends the ladder: later rungs cost minutes on large sets
and place photos of other scenes wrongly."""
RANDOM_SEED = 0
EXPLAINED_MIN = 0.85
"""Share of verified matches that a model of a later rung must explain (agreement.py: correct models 0.91 and more,
folded models 0.74 to 0.78)."""
MODEL_ERROR_MAX_PX_PER_1000 = 1.2
"""Mean reprojection error above which a model of a later rung counts as wrong, per 1000 px of the longer side. Correct
models of our sets reach 0.24 to 0.9. The global mapper once placed 12 of 12 photos a third of the scene's extent off,
at 2.1 (1.34 px at 640 px)."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One attempt of the ladder: the incremental mapper, or the global one if `is_global`.

    init_min_angle_deg: between the first two cameras (COLMAP: 16); init_max_forward: share of their motion along the
    line of sight (COLMAP: 0.95); init_min_inliers: matches of the first pair (COLMAP: 100); pose_min_inliers: to
    place one more photo (COLMAP: 30); seeds: runs of the mapper, until one places all photos.
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
"""A walk along a street fails the first rung (2 of 29 photos: its first pair looks ahead, with almost no angle between
them) and passes the others. The global mapper takes a second and fails with two of three seeds on the smallest such
set, hence three seeds."""
SNAPSHOT_EVERY_PHOTOS = 10
"""Photos placed between two partial models to resume from. With 50 photos, which take 9 s on 2 cores, each model costs
3 MB and 0.05 s."""
GROWTH_BETWEEN_ADJUSTMENTS = 1.4
"""Growth of photos or points between two global bundle adjustments (COLMAP: 1.1). On five sets of 24 to 50 photos this
saves 8 to 30 % of the mapper's time (24 photos from a drone: 5.2 s to 3.8 s on two cores) and places the same photos,
with reprojection errors 0.01 px lower or within 0.001 px."""
SETTLED_AT = 1e-6
"""Relative change of the squared error at which a bundle adjustment stops (COLMAP: 0, which means all of its 50 steps).
On three sets this gives the same models within 0.001 px, in 0.83 to 0.94 of the mapper's time."""
ADJUSTED_BY_ONE_THREAD = 200_000
"""Residuals up to which one thread runs bundle adjustment (COLMAP: 50 000; 50 photos have 70 000). Two threads are no
faster there and use about an eighth more CPU time. More than two were not measured."""
RUNG_ENDS = (0.5, 0.75, 0.9, 1.0)
"""Share of the mapping's progress at which each rung ends, so that progress never falls back."""

OnPartial = Callable[[PartialModel], None]


def run_ladder(
    preset: SfmPreset,
    photos: Sequence[Photo],
    database: Path,
    work_dir: Path,
    on_progress: OnProgress,
    *,
    partial: PartialModel | None = None,
    on_partial: OnPartial | None = None,
) -> tuple[pycolmap.Reconstruction | None, str, dict[str, int]]:
    """The best model, its rung, and the photos placed by each rung that ran. Tries rungs until `is_done`.

    on_partial receives the cameras placed so far from time to time; partial: such cameras, from the same database.
    Their rung resumes from them; earlier rungs run again.
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
            on_partial=on_partial,
        )
        found = runner.run(partial if partial and partial.rung == rung.name else None)
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
        if is_done(placed, before=before, seen=seen, of=len(photos)):
            break
        if number + 1 < len(LADDER):
            on_progress(end, f"{placed} of {len(photos)} photos placed; trying {LADDER[number + 1].name} settings")
    return best, best_rung, tried


def is_done(placed: int, *, before: int, seen: int, of: int) -> bool:
    """Whether the ladder ends at a rung: all photos are placed, or most are and the rung placed no more.

    placed, before: photos of the best model with this rung and without; seen: photos of the rung's largest model,
    plausible or not. A folded model of all photos shows that they belong together: the next rung may get it right.
    """
    return placed == of or (placed == before and seen <= placed and placed >= ENOUGH_SHARE * of)


def _plausible(model: pycolmap.Reconstruction, photos: Sequence[Photo], database: Path) -> bool:
    """A folded model would train for minutes and show fog, which is worse than no scene."""
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
    on_partial: OnPartial | None

    def run(self, partial: PartialModel | None) -> list[pycolmap.Reconstruction]:
        self.out.mkdir(exist_ok=True)
        if self.rung.is_global:
            return self._global()
        if partial is not None:
            models = self._resume(partial)
            if any(model.num_reg_images() == len(self.photos) for model in models):
                return models
            # A resumed mapper makes no second model, and a second one may be larger.
            log.info("rung %s: not all photos joined the cameras of the checkpoint; starting over", self.rung.name)
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

    def _resume(self, partial: PartialModel) -> list[pycolmap.Reconstruction]:
        folder = self.out / "partial"
        partial.write(folder)
        try:
            placed = pycolmap.Reconstruction(folder).num_reg_images()
        except (RuntimeError, ValueError) as error:
            log.warning("cannot read the cameras of the checkpoint: %s", type(error).__name__)
            return []
        log.info("rung %s resumes from %d placed photos", self.rung.name, placed)
        return self._incremental(placed, folder)

    def _incremental(self, placed: int, input_path: Path | None) -> list[pycolmap.Reconstruction]:
        snapshots = self.out / "snapshots"
        placed = max(placed, 2)

        def on_next_image() -> None:
            nonlocal placed
            placed = min(placed + 1, len(self.photos))
            self.on_progress(placed / len(self.photos), f"Placing cameras: {placed} of {len(self.photos)}")
            if self.on_partial is not None and (models := sorted(snapshots.iterdir())):
                # The mapper waits for this call, so the newest model is complete.
                self.on_partial(PartialModel.of(self.rung.name, models[-1]))
                for model in models:
                    shutil.rmtree(model)

        options = self._options()
        if self.on_partial is not None:
            snapshots.mkdir(exist_ok=True)
            options.snapshot_path, options.snapshot_frames_freq = snapshots, SNAPSHOT_EVERY_PHOTOS
        models = pycolmap.incremental_mapping(
            self.database,
            self._images,
            self.out,
            options=options,
            input_path=input_path or "",
            next_image_callback=on_next_image,
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
        options.extract_colors = False  # COLMAP takes the first photo's colour; `reconstruct` takes the mean
        options.ba_global_frames_ratio = options.ba_global_points_ratio = GROWTH_BETWEEN_ADJUSTMENTS
        options.ba_local_function_tolerance = options.ba_global_function_tolerance = SETTLED_AT
        options.ba_min_num_residuals_for_cpu_multi_threading = ADJUSTED_BY_ONE_THREAD
        options.mapper.init_min_tri_angle = rung.init_min_angle_deg
        options.mapper.init_max_forward_motion = rung.init_max_forward
        options.mapper.init_min_num_inliers = rung.init_min_inliers
        options.mapper.abs_pose_min_num_inliers = rung.pose_min_inliers
        return options
