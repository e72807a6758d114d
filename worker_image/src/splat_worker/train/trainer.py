"""Photos with poses to Gaussians: a training run at the size that fits into memory, by the device's trainer.
backends.py picks the trainer, loop.py runs it. Reads no file, opens no connection.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from splat_worker.scene import PosedPhotos
from splat_worker.train.backends import choose
from splat_worker.train.core.context import Device, OutOfMemory, TrainContext, Trained, TrainingFailed
from splat_worker.train.core.preset import Preset
from splat_worker.train.health.fitness import usable, without
from splat_worker.train.health.watch import Collapse, Collapsed, named
from splat_worker.train.loop import Training
from splat_worker.train.runtime import settle_threads

_SIZE_MIN_PX = 64  # halving stops here


def train(posed: PosedPhotos, preset: Preset, ctx: TrainContext) -> Trained:
    """Trains a scene.

    A run that collapses is started again once, with smaller steps and without the photos at fault. Raises
    TrainingFailed where that collapses too, TrainingCancelled, OutOfMemory (after halving down to 64 px),
    BackendUnavailable, and ValueError (fewer than 2 views or 4 points).
    """
    settle_threads()
    kind = choose(Device(ctx.device))
    notes: list[str] = []
    given = tuple(view.name for view in posed.views)

    def report(sentence: str) -> None:
        notes.append(sentence)
        ctx.warn(sentence)

    posed, sentences = usable(posed)
    for sentence in sentences:
        report(sentence)
    if len(posed.views) < 2 <= len(given):
        raise TrainingFailed(f"{len(given) - len(posed.views)} of {len(given)} photos have no valid camera.")
    attempt, resume, first = preset, ctx.resume, None
    while True:
        try:
            trained = Training(posed, attempt, replace(ctx, resume=resume), notes, kind).finish()
        except Collapsed as error:
            if first is not None:
                raise TrainingFailed(_failed_twice(first, error.collapse)) from error
            first = error.collapse
            report(_started_again(first))
            posed, attempt, resume = without(posed, first.photos), attempt.gentler(), None
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            if attempt.size_px // 2 < _SIZE_MIN_PX:
                raise OutOfMemory(
                    f"memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians: use a machine "
                    "with more memory or fewer photos"
                ) from error
            smaller = attempt.halved()
            report(
                f"Memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians. "
                f"Training continued with {smaller.size_px} px and {smaller.gaussians_max}."
            )
            attempt, resume = smaller, None
        else:
            used = {view.name for view in posed.views}
            return replace(trained, left_out=tuple(name for name in given if name not in used))
        if ctx.device is Device.CUDA:
            torch.cuda.empty_cache()


def _started_again(collapse: Collapse) -> str:
    left_out = f" and without {named(collapse.photos)}" if collapse.photos else ""
    return f"Training collapsed: {collapse.reason}. It was started again with smaller steps{left_out}."


def _failed_twice(first: Collapse, again: Collapse) -> str:
    photos = tuple(dict.fromkeys((*first.photos, *again.photos)))
    at_fault = f" Photos that do not fit: {named(photos)}." if photos else ""
    return f"Training collapsed twice: {again.reason}.{at_fault}"
