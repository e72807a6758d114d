"""One training run: the loop that renders, compares, steps and edits.
One loop for both devices; what differs lies behind `rasterize` and the loss. Reads no file, opens no connection.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch

from splat_worker.scene import Gaussians, PosedPhotos, View
from splat_worker.train import floaters
from splat_worker.train.checkpoint import CheckpointMismatch, RunState, pack, unpack
from splat_worker.train.context import Device, TrainContext, Trained, TrainingCancelled
from splat_worker.train.densify import Budget
from splat_worker.train.evaluate import measure
from splat_worker.train.exposure import affines_of, photo_gains
from splat_worker.train.loss import photometric_loss
from splat_worker.train.model import start_from_points
from splat_worker.train.photos import PhotoStore, resized, split_views
from splat_worker.train.presets import Preset
from splat_worker.train.rasterize import rasterize
from splat_worker.train.trace import Trace

EXPOSURE_TOLD_DB = 1.0  # what a colour fit per photo must gain to be worth a sentence
_NOTHING_SHARE = 0.05  # of pixels that are black: a subject in front of nothing (outdoors and rooms: 0.0001 to 0.0014)
_BLACK = 8  # of 255
_PACE_STEPS = 25  # how often the clock is asked for progress and the deadline


def black_share(views: tuple[View, ...]) -> float:
    """Share of pixels of which no channel is brighter than black, by every 4th in both directions."""
    return float(np.mean([(view.image[::4, ::4] <= _BLACK).all(axis=2).mean() for view in views]))


class Run:
    """One attempt at one size. A device may override how the scene is held and stepped: `_fresh`, `_resumed`,
    `_step`, `_clean`, `_scene`, `_count`, `_save`."""

    def __init__(self, posed: PosedPhotos, preset: Preset, ctx: TrainContext, notes: list[str]) -> None:
        self.preset, self.ctx, self.notes = preset, ctx, notes
        self.training, self.held_out = split_views(posed)
        self.names = tuple(view.name for view in self.training)
        self.points = posed.points
        self.device = str(Device(ctx.device))
        self.extent = scene_extent(self.training)
        self.background = torch.zeros(3, device=self.device)
        gains = photo_gains(posed, self.training) if preset.exposure else np.ones((len(self.training), 3))
        self.affines = torch.from_numpy(affines_of(gains)).to(self.device)
        self.spread = float(np.log(gains).std(axis=0).max())
        self.steps = preset.steps
        self.started_s = ctx.clock()
        self.state = self._resumed() or self._fresh(posed)
        self._stores: dict[float, PhotoStore] = {}
        self._said_s = self._saved_s = self.started_s
        self._shown_s = self.started_s + ctx.snapshot_first_s - ctx.snapshot_every_s
        self._paced = (self.started_s, self.state.step)

    def _fresh(self, posed: PosedPhotos) -> RunState:
        rng = np.random.default_rng(self.ctx.seed)
        splats = start_from_points(
            posed,
            limit=self.preset.gaussians_max,
            sh_degree=self.preset.sh_degree,
            opacity=self.preset.opacity_start,
            rng=rng,
            device=self.device,
        )
        return RunState(
            step=0,
            splats=splats,
            budget=Budget(self.preset, splats),
            queue=[],
            rng=rng,
            seconds=0.0,
        )

    def _resumed(self) -> RunState | None:
        if self.ctx.resume is None:
            return None
        try:
            return unpack(self.ctx.resume, self.preset, self.names, self.device)
        except CheckpointMismatch as error:
            self.ctx.warn(f"Training starts anew: {error}.")
            return None

    def finish(self) -> Trained:
        """Runs to the end and measures."""
        state = self.state
        while state.step < self.steps:
            if self.ctx.should_stop():
                raise TrainingCancelled(f"stopped at step {state.step} of {self.steps}")
            before = state.step
            self._step()
            cleaning = self.preset.densify_until * self.steps
            if before < cleaning <= state.step:
                self._clean()
            self._housekeeping()
        return self._result(self._scene())

    def _scene(self) -> Gaussians:
        """A copy of the scene as it stands."""
        return self.state.splats.to_gaussians()

    def _count(self) -> int:
        return len(self.state.splats)

    def _save(self, now: float) -> bytes:
        """A checkpoint of this moment."""
        state = replace(self.state, seconds=self.state.seconds + now - self.started_s)
        return pack(state, self.preset, self.names)

    def _clean(self) -> None:
        """Takes floaters out while there is time left for the scene to close the gaps."""
        state = self.state
        keep = floaters.keep_mask(self._scene(), tuple(view.camera for view in self.training), self.points)
        state.floaters_removed += int((~keep).sum())
        state.splats.take(torch.from_numpy(np.flatnonzero(keep)).to(self.device))
        state.budget.restart(state.splats)

    def _step(self) -> None:
        state, preset = self.state, self.preset
        if not state.queue:
            state.queue = state.rng.permutation(len(self.training)).tolist()
        index = state.queue.pop()
        store = self._store(state.step / self.steps)
        view, target = store.views[index], store.target(index)
        trace = Trace()
        means, quats, scales, opacities, sh = state.splats.activated()
        picture = rasterize(means, quats, scales, opacities, sh, view.camera, self._background(), trace)
        loss, trace.errors = photometric_loss(picture, target, self.affines[index])
        if preset.opacity_weight:
            loss = loss + preset.opacity_weight * opacities.mean()
        if preset.scale_weight:
            loss = loss + preset.scale_weight / self.extent * scales.mean()
        loss.backward()
        state.step += 1
        state.splats.step(self._rates(state.step))
        if state.step <= preset.densify_until * self.steps:
            state.budget.collect(trace)
            if state.budget.due(state.step, self.steps):
                state.budget.edit(state.splats, state.step, self.steps)

    @cached_property
    def _in_front_of_nothing(self) -> bool:
        return black_share(self.training) > _NOTHING_SHARE

    def _background(self) -> torch.Tensor:
        """(3,) the colour behind the scene in this step.

        Over black all the time, a dark wall may just as well be left open, and from elsewhere a hole shows. A colour
        that nobody can learn closes it; it fades to black, as the last steps must see what a viewer will. Photos of
        a subject in front of nothing keep their black.
        """
        left = 1.0 - self.state.step / self.steps / max(self.preset.any_background, 1e-9)
        if not self.preset.any_background or left <= 0.0 or self._in_front_of_nothing:
            return self.background
        return torch.from_numpy(left * self.state.rng.random(3)).to(self.device, torch.float32)

    def _rates(self, step: int) -> Mapping[str, float]:
        preset, part = self.preset, step / self.steps
        late = preset.rates_late(part)
        return {
            "means": preset.rate_means * self.extent * preset.rate_means_end**part,
            "log_scales": late * preset.rate_scales,
            "quats": late * preset.rate_quats,
            "logits": late * preset.rate_opacities,
            "colour": late * preset.rate_colour,
            "sh": late * preset.rate_sh,
        }

    def _store(self, done: float) -> PhotoStore:
        scale = self.preset.scale_at(done)
        if scale not in self._stores:
            longest = max(max(view.image.shape[:2]) for view in self.training)
            size = max(round(min(self.preset.size_px, longest) * scale), 1)
            self._stores = {scale: PhotoStore(self.training, size, self.device)}
        return self._stores[scale]

    def _housekeeping(self) -> None:
        state, ctx = self.state, self.ctx
        now = ctx.clock()
        if state.step % _PACE_STEPS == 0 and ctx.deadline_s is not None:
            self._meet_deadline(now)
        if now - self._said_s >= 1.0:
            self._said_s = now
            ctx.on_progress(state.step / self.steps, self._sentence(), self._eta_s(now))
        if ctx.on_snapshot is not None and now - self._shown_s >= ctx.snapshot_every_s:
            self._shown_s = now
            ctx.on_snapshot(self._scene())
        if ctx.on_checkpoint is not None and now - self._saved_s >= ctx.checkpoint_every_s:
            self._saved_s = now
            ctx.on_checkpoint(self._save(now))

    def _sentence(self) -> str:
        return f"Step {self.state.step} of {self.steps}, {self._count()} Gaussians"

    def _eta_s(self, now: float) -> float | None:
        """From the pace of this run so far; None before there is one."""
        start_s, start_step = self._paced
        done = self.state.step - start_step
        return None if done < _PACE_STEPS else (now - start_s) / done * (self.steps - self.state.step)

    def _meet_deadline(self, now: float) -> None:
        """Cuts the number of steps to what the time allows; rates and densification follow, as they go by fraction."""
        eta_s = self._eta_s(now)
        assert self.ctx.deadline_s is not None
        left_s = self.ctx.deadline_s - now
        if eta_s is None or eta_s <= left_s:
            return
        fit = self.state.step + max(0, int((self.steps - self.state.step) * max(left_s, 0.0) / eta_s))
        if fit < self.steps:
            if self.steps == self.preset.steps:
                sentence = "Training was shortened to meet the time limit; a longer limit gives a better scene."
                self.notes.append(sentence)
                self.ctx.warn(sentence)
            self.steps = fit

    def _result(self, gaussians: Gaussians) -> Trained:
        visible = floaters.visible_mask(gaussians)
        removed = self.state.floaters_removed + int((~visible).sum())
        gaussians = gaussians.select(visible)
        measured = tuple(resized(view, self.preset.size_px) for view in self.held_out)
        figures, renders = measure(gaussians, measured, self.ctx.device)
        self.notes.append(
            f"PSNR and SSIM are means over {len(self.held_out)} photos that training never saw, at "
            f"{figures.width}x{figures.height} px, without any colour correction."
        )
        if self.spread > 0:
            self.notes.append(
                f"The photos differ in exposure by about {100 * self.spread:.0f} %. Training allowed for it, the scene "
                f"has the average photo's colours; with exposure taken out, PSNR is {figures.psnr_fitted_db:.1f} dB."
            )
        elif figures.psnr_fitted_db - figures.psnr_db >= EXPOSURE_TOLD_DB:
            self.notes.append(
                "The photos seem to differ in exposure, and the scene shows each part as its photos do on average; "
                f"with exposure taken out, PSNR is {figures.psnr_fitted_db:.1f} dB."
            )
        return Trained(
            gaussians=gaussians,
            metrics=figures,
            steps=self.state.step,
            seconds=self.state.seconds + self.ctx.clock() - self.started_s,
            peak_memory_mb=_peak_memory_mb(self.device),
            renders=renders,
            floaters_removed=removed,
            notes=tuple(self.notes),
        )


def scene_extent(views: tuple[View, ...]) -> float:
    """1.1 times the largest distance of a camera from the mean of the cameras; the unit of the means' step size."""
    centres = np.stack([view.camera.centre for view in views])
    reach = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
    return 1.1 * reach if reach > 0 else 1.0


def _peak_memory_mb(device: str) -> int:
    if device == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
