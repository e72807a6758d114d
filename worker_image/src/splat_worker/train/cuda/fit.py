"""The schedule of a run on the GPU: which photo, size, rates and edits at which step.
Drives one Engine; keeps no clock, writes no progress: run.py does, for the worker.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from splat_worker.scene import Float32, Gaussians, PosedPhotos, View
from splat_worker.train.cuda.edit import edited, resampled, scores
from splat_worker.train.cuda.engine import Engine, Rates
from splat_worker.train.cuda.layout import tiles_of
from splat_worker.train.cuda.library import Kernels
from splat_worker.train.cuda.photos import Photos, size_at
from splat_worker.train.presets import Preset

EXTENT_MIN_PX = 3.0  # smaller Gaussians on the picture cannot gain from a split
# Random walk of faint Gaussians per unit of the means' rate (Kheradmand et al. 2024 take 5e5). Together with weights
# on opacity and scale it keeps small sets from overfitting (bench/gpu/README.md).
EXPLORATION = 2e5
SH_DEGREE_EVERY = 0.06  # of the run: one more degree of view dependence


class Fit:
    """One run at one size. `step()` queues one step; `done` says when the schedule is at its end.

    maps: (V, 3, 4) exposure of each view, or None. `steps` may be lowered while it runs.
    """

    def __init__(
        self,
        *,
        start: Gaussians,
        views: tuple[View, ...],
        preset: Preset,
        extent: float,
        seed: int,
        maps: Float32 | None = None,
        device: str = "cuda",
        kernels: Kernels | None = None,
    ) -> None:
        self.preset, self.extent, self.seed = preset, extent, seed
        self.steps, self.at_step = preset.steps, 0
        self.started_with = len(start)
        self.rng = np.random.default_rng(seed)
        self.photos = Photos(views, device, maps)
        sizes = [size_at(v, preset.size_px) for v in views]
        self._longest_px = max(max(size) for size in sizes)
        self.engine = Engine(
            start,
            capacity=max(preset.gaussians_max, len(start)),
            views=len(views),
            pixels_max=max(w * h for w, h in sizes),
            tiles_max=max(tiles_of(w, h) for w, h in sizes),
            device=device,
            kernels=kernels,
        )
        self._scale = 0.0
        self._views = ()
        self._queue: list[int] = []

    @property
    def done(self) -> bool:
        return self.at_step >= self.steps

    @property
    def degree(self) -> int:
        """Degree of the harmonics in use now: one more every SH_DEGREE_EVERY of the run."""
        return min(self.preset.sh_degree, int(self.at_step / self.steps / SH_DEGREE_EVERY))

    def step(self) -> None:
        """One step of the schedule; edits Gaussians where that is due."""
        self._set_size()
        if not self._queue:
            self._queue = self.rng.permutation(len(self._views)).tolist()
        view = self._views[self._queue.pop()]
        self.engine.step(view, self.rates(), degree=self.degree, seed=self.seed)
        self.at_step += 1
        if self._edit_due():
            self.edit()

    def facts(self) -> dict[str, object]:
        """Everything but the Gaussians that a resumed run needs; plain JSON."""
        return {
            "at_step": self.at_step,
            "adam_step": self.engine.step_number,
            "started_with": self.started_with,
            "queue": self._queue,
            "rng": self.rng.bit_generator.state,
        }

    def restore(self, facts: dict[str, Any]) -> None:
        """Goes on where the run that wrote `facts` stopped."""
        self.at_step = facts["at_step"]
        self.engine.step_number = facts["adam_step"]
        self.started_with = facts["started_with"]
        self._queue = list(facts["queue"])
        self.rng.bit_generator.state = facts["rng"]

    def rates(self) -> Rates:
        """Adam's rates at this step."""
        p, part = self.preset, self.at_step / self.steps
        mean = p.rate_means * self.extent * p.rate_means_end**part
        late = p.rates_late(part)
        return Rates(
            mean=mean,
            noise=EXPLORATION * mean,
            scale=late * p.rate_scales,
            quat=late * p.rate_quats,
            opacity=late * p.rate_opacities,
            sh0=late * p.rate_colour,
            sh=late * p.rate_sh,
            opacity_weight=p.opacity_weight,
            scale_weight=p.scale_weight / self.extent,
        )

    def target(self) -> int:
        """How many Gaussians there should be after an edit now: a line from the start to the cap, or a power."""
        p = self.preset
        first, last = p.densify_from * self.steps, p.densify_until * self.steps
        part = min(1.0, max(0.0, (self.at_step - first) / max(last - first - p.densify_every, 1.0)))
        start, cap = self.started_with, p.gaussians_max
        return min(cap, round(start * (cap / start) ** part if p.resample else start + (cap - start) * part))

    @torch.no_grad()
    def edit(self) -> None:
        """Prunes and adds by the statistics since the last edit."""
        engine = self.engine
        if self.preset.resample:
            columns, moments = resampled(
                engine.params,
                engine.moments,
                target=self.target(),
                opacity_min=self.preset.opacity_prune,
                chance=torch.Generator(self.photos.device).manual_seed(self.seed * 1_000_003 + self.at_step),
            )
            engine.replace(columns, moments)
            return
        longest = max(max(v.camera.width, v.camera.height) for v in self._views)
        columns, moments = edited(
            engine.params,
            engine.moments,
            scores(engine.stats, extent_min=EXTENT_MIN_PX / longest),
            target=self.target(),
            opacity_min=self.preset.opacity_prune,
        )
        engine.replace(columns, moments)

    def _edit_due(self) -> bool:
        p = self.preset
        inside = p.densify_from * self.steps <= self.at_step <= p.densify_until * self.steps
        return inside and self.at_step % p.densify_every == 0

    def _set_size(self) -> None:
        scale = self.preset.scale_at(self.at_step / self.steps)
        if scale != self._scale:
            self._scale = scale
            self._views = self.photos.at(max(round(self._longest_px * scale), 16))
            self.engine.forget_rooms()


def extent_of(posed: PosedPhotos) -> float:
    """1.1 times the largest distance of a camera from the mean of the cameras; 1 where they coincide."""
    centres = np.stack([v.camera.centre for v in posed.views])
    reach = float(np.linalg.norm(centres - centres.mean(0), axis=1).max())
    return 1.1 * reach if reach > 0 and math.isfinite(reach) else 1.0
