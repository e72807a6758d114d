"""One training run: the order of photos, progress, checkpoints, the deadline, and the result.
Holds a trainer (core/backend.py) that does the steps. Reads no file, opens no connection.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from splat_worker.limits import peak_memory_mb
from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.train.backdrop import backdrop
from splat_worker.train.core import schedule
from splat_worker.train.core.backend import Backend, Kind, Setup
from splat_worker.train.core.checkpoint import CheckpointMismatch, Progress, RunId, pack, unpack
from splat_worker.train.core.context import Device, TrainContext, Trained, TrainingCancelled
from splat_worker.train.core.exposure import affines_of, spread_of
from splat_worker.train.core.floaters import visible_rows
from splat_worker.train.core.metrics import measure
from splat_worker.train.core.photos import resized, split_views
from splat_worker.train.core.preset import Preset
from splat_worker.train.core.progress import Timer
from splat_worker.train.health.watch import LOOK_EVERY, Collapsed, Watch
from splat_worker.train.render import picture_of

CROWDED = (
    "Some pictures needed more memory than the GPU has. Their farthest Gaussians were left out for some steps, and the "
    "largest were removed."
)
EXPOSURE_TOLD_DB = 1.0  # what a colour fit per photo must gain to be worth a note


class Training:
    """One attempt at one size."""

    def __init__(self, posed: PosedPhotos, preset: Preset, ctx: TrainContext, notes: list[str], kind: Kind) -> None:
        self.preset, self.ctx, self.notes, self.kind = preset, ctx, notes, kind
        self.training, self.held_out = split_views(posed)
        self.watch = Watch(self.training)
        self.run = RunId(backend=kind.name, preset=preset, photos=tuple(view.name for view in self.training))
        self.spread = spread_of(self.training)
        gains = np.array([view.gain for view in self.training])
        self._cut_out = posed.cut_out
        self._coloured = preset.any_background > 0 and not schedule.in_front_of_nothing(self.training)
        self._backdrop = backdrop(self.training, posed.points) if preset.any_background > 0 else None
        black = np.zeros(3, np.float32)
        dome = self._backdrop
        self._behind = [black if dome is None else dome.behind(view.camera) for view in self.training]
        self.steps = preset.steps
        self.progress = Progress(rng=np.random.default_rng(ctx.seed), queue=[])
        # It draws its first Gaussians from the run's random numbers, before the first photo is drawn.
        self.backend: Backend = kind.begin(
            Setup(
                posed=posed,
                views=self.training,
                preset=preset,
                unit=schedule.scene_unit(posed),
                affines=affines_of(gains) if self.spread > 0 else None,
                seed=ctx.seed,
                rng=self.progress.rng,
                device=str(Device(ctx.device)),
            )
        )
        self._resume()
        self.timer = Timer(ctx, self.progress.step)

    def _resume(self) -> None:
        if self.ctx.resume is None:
            return
        try:
            self.progress, state = unpack(self.ctx.resume, self.run)
        except CheckpointMismatch as error:
            self.ctx.warn(f"Training starts from the beginning: {error}.")
            return
        self.backend.load(state)

    def finish(self) -> Trained:
        """Runs to the end and measures. Raises Collapsed, TrainingCancelled."""
        while self.progress.step < self.steps:
            if self.ctx.should_stop():
                raise TrainingCancelled(f"stopped at step {self.progress.step} of {self.steps}")
            before = self.progress.step
            self.advance()
            if self.progress.step % LOOK_EVERY == 0:
                self._look()
            # While there is time left for the scene to close the gaps.
            if before < self.preset.densify_until * self.steps <= self.progress.step:
                self.progress.floaters_removed += self.backend.remove_floaters()
            self._do_what_is_due()
        self._look()
        return self._result(self.backend.scene())

    def advance(self) -> None:
        """One step, on the next photo of a random order that shows each once a round."""
        progress, rng = self.progress, self.progress.rng
        if not progress.queue:
            progress.queue = rng.permutation(len(self.training)).tolist()
        index = progress.queue.pop()
        colour = self._behind[index]
        if self._cut_out:
            colour = schedule.behind_nothing(rng, self.training[index].gain)
        elif self._coloured:
            colour = schedule.background(progress.step / self.steps, self.preset, rng, colour)
        self.backend.step(index, schedule.Moment(step=progress.step, steps=self.steps, background=colour))
        progress.step += 1

    def _look(self) -> None:
        """Raises Collapsed where the run cannot become a scene; removes the few Gaussians that are broken."""
        look = self.backend.look()
        collapse = self.watch.judge(look, step=self.progress.step, steps=self.steps)
        if collapse is not None:
            raise Collapsed(collapse)
        if look.broken:
            self.backend.drop_broken()
        if look.crowding > 1.0 and CROWDED not in self.notes:
            self.notes.append(CROWDED)
            self.ctx.warn(CROWDED)

    def _do_what_is_due(self) -> None:
        ctx, timer, step = self.ctx, self.timer, self.progress.step
        now = ctx.clock()
        self._shorten(timer.steps_in_time(step, self.steps, now))
        if timer.due("progress", now, 1.0):
            message = f"Step {step} of {self.steps}, {self.backend.count} Gaussians"
            ctx.on_progress(step / self.steps, message, timer.eta_s(step, self.steps, now))
        if ctx.on_snapshot is not None and timer.due("snapshot", now, ctx.snapshot_every_s):
            ctx.on_snapshot(self._with_backdrop(self.backend.scene()))
        if ctx.on_checkpoint is not None and timer.due("checkpoint", now, ctx.checkpoint_every_s):
            saved = replace(self.progress, seconds=self.progress.seconds + now - timer.started_s)
            ctx.on_checkpoint(pack(self.run, saved, self.backend.save()))

    def _with_backdrop(self, gaussians: Gaussians) -> Gaussians:
        return gaussians if self._backdrop is None else self._backdrop.joined(gaussians)

    def _shorten(self, steps: int) -> None:
        """Rates and densification follow, because they go by the share of the run."""
        if steps < self.steps == self.preset.steps:
            sentence = "Training was shortened to meet the time limit. A longer limit gives a better scene."
            self.notes.append(sentence)
            self.ctx.warn(sentence)
        self.steps = min(steps, self.steps)

    def _result(self, gaussians: Gaussians) -> Trained:
        visible = visible_rows(torch.from_numpy(gaussians.opacity_logits)).numpy()
        removed = self.progress.floaters_removed + len(gaussians) - len(visible)
        gaussians = self._with_backdrop(gaussians.select(visible))
        views = tuple(resized(view, self.preset.size_px) for view in self.held_out)
        device = self.ctx.device
        renders = {v.name: np.rint(picture_of(gaussians, v.camera, self.kind) * 255.0).astype(np.uint8) for v in views}
        figures = measure(renders, views, device)
        self.notes.append(
            f"PSNR and SSIM are means over {len(self.held_out)} photos that training never saw, at "
            f"{figures.width}x{figures.height} px, "
            + ("at the exposure in each photo's tags." if self.spread > 0 else "without any colour correction.")
        )
        if self.spread > 0:
            self.notes.append(
                f"The photos differ in brightness by about {100 * self.spread:.0f} %. The scene has the exposure of "
                f"the average photo. Without the exposure of each photo, PSNR is {figures.psnr_plain_db:.1f} dB."
            )
        elif figures.psnr_fitted_db - figures.psnr_db >= EXPOSURE_TOLD_DB:
            self.notes.append(
                "The photos seem to differ in exposure. Each part of the scene has the average colours of its photos. "
                f"After a colour fit per photo, PSNR is {figures.psnr_fitted_db:.1f} dB."
            )
        return Trained(
            gaussians=gaussians,
            metrics=figures,
            steps=self.progress.step,
            seconds=self.progress.seconds + self.ctx.clock() - self.timer.started_s,
            peak_memory_mb=_peak_memory_mb(device),
            renders=renders,
            floaters_removed=removed,
            notes=tuple(self.notes),
        )


def _peak_memory_mb(device: Device) -> int:
    if device is Device.CUDA:
        return round(torch.cuda.max_memory_allocated() / 2**20)
    return peak_memory_mb()
