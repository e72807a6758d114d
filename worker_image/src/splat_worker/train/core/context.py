"""What the caller gives to a training run and gets back from it.
Holds no logic and never imports torch: an import costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from splat_worker.scene import Gaussians


class Device(StrEnum):
    """Where the kernels run; not which machine."""

    CPU = "cpu"
    CUDA = "cuda"


class TrainingCancelled(Exception):
    """should_stop() returned true. There is no result; the last checkpoint stays."""


class BackendUnavailable(RuntimeError):
    """The trainer cannot run on this machine. The message gives the reason and the next step."""


class TrainingFailed(Exception):
    """Training collapsed, also in a second attempt. The message has the reason and the photos at fault by name."""


class OutOfMemory(Exception):
    """Memory ran out even at the smallest size that makes sense."""


def _ignore(*_: object) -> None:
    return


@dataclass(frozen=True, kw_only=True)
class TrainContext:
    """The world as a training run sees it.

    on_progress(fraction 0..1, message, eta_s or None) is called at most about once a second.
    on_snapshot(gaussians), if given, gets the first scene after snapshot_first_s, then one every snapshot_every_s.
    should_stop() is called before every step. deadline_s: reading of `clock` at which a result must be ready; the
    schedule is shortened to meet it. resume: bytes that an earlier run passed to on_checkpoint.
    warn(sentence): what the person who took the photos should know about the result.
    """

    device: Device = Device.CPU
    seed: int = 0
    on_progress: Callable[[float, str, float | None], None] = _ignore
    on_snapshot: Callable[[Gaussians], None] | None = None
    snapshot_first_s: float = 5.0
    snapshot_every_s: float = 15.0
    should_stop: Callable[[], bool] = field(default=lambda: False)
    deadline_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    resume: bytes | None = None
    on_checkpoint: Callable[[bytes], None] | None = None
    checkpoint_every_s: float = 20.0
    warn: Callable[[str], None] = _ignore


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Quality on photos that training never saw, means over them.

    psnr_db, ssim: the scene as exported against the photo as taken, at width x height px (the largest photo's), with
    the exposure that the photo's tags say. psnr_plain_db: without it.
    psnr_fitted_db: the same after an affine colour fit per photo (what is left when exposure is taken out).
    psnr_flat_db: of a picture in the photo's mean colour, which shows nothing of the scene.
    """

    psnr_db: float
    ssim: float
    psnr_plain_db: float
    psnr_fitted_db: float
    psnr_flat_db: float
    names: tuple[str, ...]
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished scene. renders: held-out name -> (H, W, 3) uint8; notes: sentences for the report; left_out: names of
    photos that were neither trained on nor held out."""

    gaussians: Gaussians
    metrics: HeldOut
    steps: int
    seconds: float
    peak_memory_mb: int
    renders: Mapping[str, NDArray[np.uint8]]
    floaters_removed: int
    notes: tuple[str, ...]
    left_out: tuple[str, ...] = ()
