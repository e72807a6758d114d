"""One run of a mapper on a match database: the incremental mapper of COLMAP, its global one, or ours on a GPU.
Reads the matches of a database and changes none; judges no model.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping.lenses import adjust
from splat_worker.sfm.preset import OnProgress
from splat_worker.sfm.resume import PartialModel

log = logging.getLogger(__name__)

RANDOM_SEED = 0
MODEL_PHOTOS_MIN = 3
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
LARGE_FROM_PHOTOS = 60
LARGE_COVERAGE_GAIN = 0.2
"""From this number of photos on, bundle adjustment uses only points that add at least this share to what the others
cover of a photo, and is not repeated after it has removed points. One adjustment of all points follows at the end. On
80 photos from a drone this takes 0.74 of the first rung's CPU time, and places the same photos within 0.0001 of the
scene's extent (bench/sfm/README.md)."""
LARGE_GROWTH = 2.0
LARGE_LOCAL_PHOTOS = 4
LARGE_LOCAL_SETTLED_AT = 1e-4
"""Of large sets: growth between two global adjustments, photos that are adjusted with each new one (COLMAP: 6), and
where that adjustment stops. Together 0.75 of the CPU time on 167 simulated photos, with errors against the true cameras
that are no larger (bench/sfm/README.md)."""
ONE_THREAD = (1 << 31) - 1
"""Residuals up to which one thread runs bundle adjustment (COLMAP: 50 000): always. Sums of several threads depend on
their order, and two threads are no faster at the 70 000 of 50 photos."""

OnPartial = Callable[[PartialModel], None]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One attempt of the ladder: the incremental mapper, the global one if `is_global`, or ours if `on_gpu`.

    init_min_angle_deg: between the first two cameras (COLMAP: 16); init_max_forward: share of their motion along the
    line of sight (COLMAP: 0.95); init_min_inliers: matches of the first pair (COLMAP: 100); pose_min_inliers: to
    place one more photo (COLMAP: 30); seeds: runs of the mapper, until one places all photos; tries_lenses: also with a
    lens for each photo, if tags do not give the lens.
    """

    name: str
    init_min_angle_deg: float = 16.0
    init_max_forward: float = 0.95
    init_min_inliers: int = 100
    pose_min_inliers: int = 30
    is_global: bool = False
    on_gpu: bool = False
    seeds: int = 1
    tries_lenses: bool = False


@dataclass(frozen=True, kw_only=True)
class Mapper:
    """One rung on one database. name: of the rung and its lenses, which a partial model repeats; reachable: photos that
    matches connect, which is all that a model can hold; out: a folder of its own;
    gpu: torch device of a rung that is on_gpu."""

    rung: Rung
    name: str
    photos: Sequence[Photo]
    reachable: int
    database: Path
    out: Path
    on_progress: OnProgress
    on_partial: OnPartial | None
    gpu: str | None = None

    def run(
        self, partial: PartialModel | None, *, begin_with: pycolmap.Reconstruction | None = None
    ) -> list[pycolmap.Reconstruction]:
        """All models that the mapper makes. partial: cameras of an interrupted run of this rung. begin_with: a sound
        model of most photos, from this database, to which the incremental mapper adds the others. Where it adds none to
        a large set, there is no model: that one was adjusted and judged before."""
        self.out.mkdir(exist_ok=True)
        if self.rung.on_gpu:
            return self._on_gpu()
        if self.rung.is_global:
            return self._global()
        if partial is not None and partial.rung == self.name:
            models = self._resume(partial)
            if begin_with is not None or any(model.num_reg_images() >= self.reachable for model in models):
                return self._adjusted(models, begin_with)
            # A resumed mapper makes no second model, and a second one may be larger.
            log.info("rung %s: not all photos joined the cameras of the checkpoint; starting over", self.name)
        if begin_with is not None:
            folder = self.out / "begin"
            folder.mkdir(exist_ok=True)
            begin_with.write(folder)
            return self._adjusted(self._incremental(begin_with.num_reg_images(), folder, grows=True), begin_with)
        return self._adjusted(self._incremental(0, None), None)

    def _global(self) -> list[pycolmap.Reconstruction]:
        self.on_progress(0.1, "Placing all photos at once")
        found: list[pycolmap.Reconstruction] = []
        for seed in range(self.rung.seeds):
            options = pycolmap.GlobalPipelineOptions()
            options.num_threads = 1  # as below
            options.random_seed = RANDOM_SEED + seed
            found += pycolmap.global_mapping(self.database, self._images, self.out, options=options).values()
            if any(model.num_reg_images() >= self.reachable for model in found):
                break
        return found

    def _on_gpu(self) -> list[pycolmap.Reconstruction]:
        import torch  # only with a GPU

        from splat_worker.sfm.global_mapper.mapper import place
        from splat_worker.sfm.global_mapper.model import model_of

        self.on_progress(0.1, "Placing all photos at once")
        try:
            whole = place(self.database, self.gpu or "cpu")
            models = [] if whole is None else [model_of(whole, self.database)]
        except Exception as error:  # torch raises many kinds, out of memory among them: the incremental mapper follows
            log.warning("rung %s failed: %s", self.name, type(error).__name__, exc_info=True)
            torch.cuda.empty_cache()
            return []
        if whole is not None:
            log.info("rung %s: seconds by step: %s", self.name, whole.seconds)
        return models

    def _resume(self, partial: PartialModel) -> list[pycolmap.Reconstruction]:
        folder = self.out / "partial"
        partial.write(folder)
        try:
            placed = pycolmap.Reconstruction(folder).num_reg_images()
        except (RuntimeError, ValueError) as error:
            log.warning("cannot read the cameras of the checkpoint: %s", type(error).__name__)
            return []
        log.info("rung %s resumes from %d placed photos", self.name, placed)
        return self._incremental(placed, folder)

    def _incremental(
        self, placed: int, input_path: Path | None, *, grows: bool = False
    ) -> list[pycolmap.Reconstruction]:
        snapshots = self.out / "snapshots"
        placed = max(placed, 2)

        def on_next_image() -> None:
            nonlocal placed
            placed = min(placed + 1, len(self.photos))
            self.on_progress(placed / len(self.photos), f"Placing cameras: {placed} of {len(self.photos)}")
            if self.on_partial is not None and (models := sorted(snapshots.iterdir())):
                # The mapper waits for this call, so the newest model is complete.
                self.on_partial(PartialModel.of(self.name, models[-1]))
                for model in models:
                    shutil.rmtree(model)

        options = incremental_options(self.rung, photos=len(self.photos), grows=grows)
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

    def _adjusted(
        self, models: list[pycolmap.Reconstruction], begin_with: pycolmap.Reconstruction | None
    ) -> list[pycolmap.Reconstruction]:
        """Of a large set: the models with more photos than `begin_with`, adjusted by all of their points."""
        if len(self.photos) < LARGE_FROM_PHOTOS:
            return models
        before = 0 if begin_with is None else begin_with.num_reg_images()
        larger = [model for model in models if model.num_reg_images() > before]
        for model in larger:
            adjust(model)
        return larger

    @property
    def _images(self) -> Path:
        return self.photos[0].path.parent


def incremental_options(rung: Rung, *, photos: int, grows: bool) -> pycolmap.IncrementalPipelineOptions:
    """grows: the mapper begins with a model of most photos, so that no second model can be larger."""
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = 1  # each thread has random numbers of its own, and which one estimates a pose is chance
    options.random_seed = RANDOM_SEED
    options.min_model_size = MODEL_PHOTOS_MIN
    options.multiple_models = not grows
    options.extract_colors = False  # COLMAP takes the first photo's colour; `reconstruct` takes the mean
    options.ba_global_frames_ratio = options.ba_global_points_ratio = GROWTH_BETWEEN_ADJUSTMENTS
    options.ba_local_function_tolerance = options.ba_global_function_tolerance = SETTLED_AT
    options.ba_min_num_residuals_for_cpu_multi_threading = ONE_THREAD
    options.mapper.init_min_tri_angle = rung.init_min_angle_deg
    options.mapper.init_max_forward_motion = rung.init_max_forward
    options.mapper.init_min_num_inliers = rung.init_min_inliers
    options.mapper.abs_pose_min_num_inliers = rung.pose_min_inliers
    if photos >= LARGE_FROM_PHOTOS:
        options.ba_local_max_refinements = options.ba_global_max_refinements = 1
        options.mapper.ba_global_ignore_redundant_points3D = True
        options.mapper.ba_global_prune_points_min_coverage_gain = LARGE_COVERAGE_GAIN
        options.ba_global_frames_ratio = options.ba_global_points_ratio = LARGE_GROWTH
        options.mapper.ba_local_num_images = LARGE_LOCAL_PHOTOS
        options.ba_local_function_tolerance = LARGE_LOCAL_SETTLED_AT
    return options
