"""Photos with poses to Gaussians: a training run at the size that fits into memory, by the device's trainer.
backends.py picks the trainer, loop.py runs it. Reads no file, opens no connection.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from splat_worker.scene import PosedPhotos
from splat_worker.train.backends import choose
from splat_worker.train.core.context import Device, OutOfMemory, TrainContext, Trained
from splat_worker.train.core.preset import Preset
from splat_worker.train.loop import Training
from splat_worker.train.runtime import settle_threads

_SIZE_MIN_PX = 64  # halving stops here


def train(posed: PosedPhotos, preset: Preset, ctx: TrainContext) -> Trained:
    """Trains a scene.

    Raises TrainingCancelled, OutOfMemory (after halving down to 64 px), BackendUnavailable, and ValueError (fewer than
    2 views or 4 points).
    """
    settle_threads()
    kind = choose(Device(ctx.device))
    notes: list[str] = []
    attempt, resume = preset, ctx.resume
    while True:
        try:
            return Training(posed, attempt, replace(ctx, resume=resume), notes, kind).finish()
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            if attempt.size_px // 2 < _SIZE_MIN_PX:
                raise OutOfMemory(
                    f"memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians: use a machine "
                    "with more memory or fewer photos"
                ) from error
            smaller = attempt.halved()
        sentence = (
            f"Memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians. "
            f"Training continued with {smaller.size_px} px and {smaller.gaussians_max}."
        )
        notes.append(sentence)
        ctx.warn(sentence)
        attempt, resume = smaller, None
        if ctx.device is Device.CUDA:
            torch.cuda.empty_cache()
