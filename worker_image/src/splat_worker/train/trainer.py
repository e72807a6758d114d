"""Photos with poses to Gaussians: a training run at the size that fits into memory, on the device that is asked for.
What a run does, loop.py says; this decides which and how large. Reads no file, opens no connection.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from splat_worker.scene import PosedPhotos
from splat_worker.train.context import Device, OutOfMemory, TrainContext, Trained
from splat_worker.train.loop import Run
from splat_worker.train.presets import Preset
from splat_worker.train.runtime import settle_threads

_SIZE_MIN_PX = 64  # halving stops here


def train(posed: PosedPhotos, preset: Preset, ctx: TrainContext) -> Trained:
    """Trains a scene.

    Raises TrainingCancelled, OutOfMemory (after halving down to 64 px), ValueError (fewer than 2 views, 4 points).
    """
    settle_threads()
    notes: list[str] = []
    attempt, resume = preset, ctx.resume
    kind = _run_kind(ctx.device)
    while True:
        try:
            return kind(posed, attempt, replace(ctx, resume=resume), notes).finish()
        except (MemoryError, torch.cuda.OutOfMemoryError) as error:
            if attempt.size_px // 2 < _SIZE_MIN_PX:
                raise OutOfMemory(
                    f"memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians: use a machine "
                    "with more memory or fewer photos"
                ) from error
            smaller = attempt.halved()
        sentence = (
            f"Memory ran out at {attempt.size_px} px and {attempt.gaussians_max} Gaussians; "
            f"went on with {smaller.size_px} px and {smaller.gaussians_max}."
        )
        notes.append(sentence)
        ctx.warn(sentence)
        attempt, resume = smaller, None
        if ctx.device is Device.CUDA:
            torch.cuda.empty_cache()


def _run_kind(device: Device) -> type[Run]:
    """The loop for a device: the shared one, or on CUDA the native one where its kernels are built."""
    if device is Device.CUDA:
        from splat_worker.train.cuda.library import native_available

        if native_available():
            from splat_worker.train.cuda.run import NativeRun

            return NativeRun
    return Run
