"""Training on a GPU: the photos' size, the rates and the edits of each step, around an engine that computes it.
Keeps no clock and no order of photos: loop.py does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from splat_worker.scene import Gaussians
from splat_worker.train.core import schedule
from splat_worker.train.core.backend import Kind, Look, Setup, State
from splat_worker.train.core.context import Device
from splat_worker.train.core.floaters import OPACITY_MIN, rows_to_keep
from splat_worker.train.core.photos import size_at
from splat_worker.train.core.start import start_from_points
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import free_bytes
from splat_worker.train.cuda.densification import edited, resampled, scores, smallest
from splat_worker.train.cuda.engine import DeviceView, Engine, StepEngine
from splat_worker.train.cuda.library import Kernels, load
from splat_worker.train.cuda.memory import instances_max
from splat_worker.train.cuda.neighbours import lonely, rms_distances
from splat_worker.train.cuda.photos import Photos
from splat_worker.train.cuda.rasterize import rasterize

EXTENT_MIN_PX = 3.0  # a smaller Gaussian on the picture cannot gain from a split
SH_DEGREE_EVERY = 0.06  # of the run
LEFT_OUT_LOGIT = -16.0  # too faint to be drawn
TIMES_SEEN = 1  # row of an engine's statistics
_SAVED = ("columns", "first", "second", "stats")

MakeEngine = Callable[[Gaussians, Setup, Photos], StepEngine]


def engine_for(
    start: Gaussians, setup: Setup, photos: Photos, kernels: Kernels | None = None, *, free: int | None = None
) -> Engine:
    """Our kernels, with memory for the preset's cap and its largest photo, and for as many instances as the card has
    room for. free: bytes on the card, measured where it is not given. Raises MemoryError where that is too little."""
    sizes = [size_at(view, setup.preset.size_px) for view in setup.views]
    capacity = max(setup.preset.gaussians_max, len(start))
    pixels, tiles = max(w * h for w, h in sizes), max(layout.tiles_of(w, h) for w, h in sizes)
    most = instances_max(
        free_bytes(setup.device) if free is None else free,
        gaussians=capacity,
        pixels=pixels,
        tiles=tiles,
        photo_bytes=photos.bytes_to_come(setup.preset.size_px),
    )
    return Engine(
        start,
        capacity=capacity,
        views=len(setup.views),
        pixels_max=pixels,
        tiles_max=tiles,
        device=setup.device,
        kernels=kernels,
        instances_max=most,
    )


class CudaBackend:
    """A scene in training; see core/backend.py Backend."""

    def __init__(self, setup: Setup, make_engine: MakeEngine = engine_for) -> None:
        if setup.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        self._setup, self._preset = setup, setup.preset
        distances = partial(rms_distances, device=setup.device)
        start = start_from_points(setup.posed, setup.preset, setup.rng, distances)
        self._started_with = len(start)
        self.photos = Photos(setup.views, setup.device, setup.affines)
        self._longest_px = max(max(view.image.shape[:2]) for view in setup.views)
        self.engine = make_engine(start, setup, self.photos)
        self._at_step, self._stats_since = 0, 0
        self._seen_share = 1.0
        self._size_px = 0
        self._views: tuple[DeviceView, ...] = ()
        self._crowding = 0.0  # the largest since the last look
        self._values_shown = np.zeros(len(setup.views))  # of each photo since the last look, for its mean error

    @property
    def count(self) -> int:
        return self.engine.count

    def step(self, index: int, moment: schedule.Moment) -> None:
        preset, part, step = self._preset, moment.part, moment.step + 1
        view = self.views_at(part)[index]
        if view.cover is not None:
            view = view.over(torch.from_numpy(moment.background).to(self._setup.device))
        engine, left_out = (
            self.engine,
            schedule.left_out(preset, self._setup.seed, step, self.engine.count, self._setup.device),
        )
        before = None if left_out is None else engine.params.clone()
        if left_out is not None:
            engine.params[layout.OPACITY].masked_fill_(left_out, LEFT_OUT_LOGIT)
        engine.step(
            view,
            schedule.rates(preset, self._setup.unit, part, seen_share=self._seen_share),
            degree=self.degree_at(part),
            seed=self._setup.seed,
            background=tuple(moment.background.tolist()),
        )
        if left_out is not None and before is not None:
            engine.params.copy_(torch.where(left_out, before, engine.params))
        camera = self._views[index].camera
        self._values_shown[index] += 3 * camera.width * camera.height
        self._at_step = step
        if step == len(self._setup.views):
            self._measure_share()
        if schedule.edit_due(preset, step, moment.steps):
            self.edit(step, moment.steps)

    @torch.no_grad()
    def edit(self, step: int, steps: int) -> None:
        """Removes and adds Gaussians after this step (counted from 1)."""
        engine, preset = self.engine, self._preset
        self._measure_share()
        self._crowding = max(self._crowding, engine.crowding)
        if engine.crowding > 1.0:  # adding some would only make pictures fuller
            self._keep(smallest(engine.stats, share=1.0 / engine.crowding))
            return
        target = schedule.target(preset, self._started_with, step, steps)
        if preset.resample:
            chance = torch.Generator(self._setup.device).manual_seed(self._setup.seed * 1_000_003 + step)
            new = resampled(
                engine.params, engine.moments, target=target, opacity_min=preset.opacity_prune, chance=chance
            )
        else:
            longest_px = max(max(view.camera.width, view.camera.height) for view in self._views)
            worth = scores(engine.stats, extent_min=EXTENT_MIN_PX / longest_px)
            new = edited(engine.params, engine.moments, worth, target=target, opacity_min=preset.opacity_prune)
        engine.replace(*new)
        self._stats_since = step

    def _measure_share(self) -> None:
        """From the statistics since the last edit: the mean share of the photos that saw a Gaussian. Waits for the
        GPU."""
        steps = self._at_step - self._stats_since
        if steps > 0:
            share = float(self.engine.stats[TIMES_SEEN].mean()) / steps
            self._seen_share = max(share, 1 / len(self._setup.views))

    def remove_floaters(self) -> int:
        engine = self.engine
        before, cameras = engine.count, tuple(view.camera for view in self._setup.views)
        means, logits = engine.params[layout.MEAN].T, engine.params[layout.OPACITY]
        rows = rows_to_keep(means, logits, cameras, self._setup.posed.points, lonely)
        self._keep(rows)
        return before - engine.count

    def look(self) -> Look:
        sums, shown = self.engine.loss_sums()[:, 0], self._values_shown
        errors = np.full(len(shown), np.nan)
        seen = shown > 0
        errors[seen] = np.where(np.isfinite(sums[seen]), sums[seen] / shown[seen], np.inf)
        self._values_shown = np.zeros(len(shown))
        whole = self._whole()
        visible = whole & (self.engine.params[layout.OPACITY].sigmoid() >= OPACITY_MIN)
        counts = torch.stack([whole.sum(), visible.sum()]).tolist()
        crowding, self._crowding = max(self._crowding, self.engine.crowding), 0.0
        return Look(
            errors=errors, count=self.count, broken=self.count - counts[0], visible=counts[1], crowding=crowding
        )

    def drop_broken(self) -> int:
        before = self.count
        self._keep(self._whole().nonzero()[:, 0])
        return before - self.count

    def _whole(self) -> torch.Tensor:
        """(N,) whether all values of a Gaussian are finite, and its moments."""
        parts = (self.engine.params, *self.engine.moments)
        return torch.stack([torch.isfinite(part).all(0) for part in parts]).all(0)

    def _keep(self, rows: torch.Tensor) -> None:
        engine = self.engine
        first, second = engine.moments
        engine.replace(engine.params[:, rows], (first[:, rows], second[:, rows]))
        self._stats_since = self._at_step

    def scene(self) -> Gaussians:
        return self.engine.gaussians(self._preset.sh_degree)

    def save(self) -> State:
        engine = self.engine
        tensors = zip(_SAVED, (engine.params, *engine.moments, engine.stats), strict=True)
        numbers = {
            "adam_steps": np.array(engine.step_number),
            "started_with": np.array(self._started_with),
            "at_step": np.array(self._at_step),
            "stats_since": np.array(self._stats_since),
            "seen_share": np.array(self._seen_share),
        }
        return {**{name: tensor.cpu().numpy() for name, tensor in tensors}, **numbers}

    def load(self, state: State) -> None:
        columns, first, second, stats = (torch.from_numpy(state[name]).to(self._setup.device) for name in _SAVED)
        self.engine.replace(columns, (first, second))
        self.engine.stats[:] = stats
        self.engine.step_number = int(state["adam_steps"])
        self._started_with = int(state["started_with"])
        self._at_step, self._stats_since = int(state["at_step"]), int(state["stats_since"])
        self._seen_share = float(state["seen_share"])

    def degree_at(self, part: float) -> int:
        """Degree of the harmonics in use: one more every SH_DEGREE_EVERY of the run."""
        return min(self._preset.sh_degree, int(part / SH_DEGREE_EVERY))

    def views_at(self, part: float) -> tuple[DeviceView, ...]:
        """The photos at the size for this part of the run."""
        size = schedule.size_px(self._preset, self._longest_px, part)
        if size != self._size_px:
            self._size_px = size
            self._views = self.photos.at(size)
            self.engine.forget_rooms()
        return self._views


KIND = Kind(name="cuda", device=Device.CUDA, begin=CudaBackend, draw=rasterize, check=load)
