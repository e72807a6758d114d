"""What a trainer must offer to the loop, and what the loop gives it.
Only types: backends.py picks a trainer, loop.py drives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from splat_worker.scene import Camera, Float32, Float64, Gaussians, PosedPhotos, View
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import Preset
from splat_worker.train.core.schedule import Moment

State = dict[str, np.ndarray]
"""A trainer's part of a checkpoint: arrays by name, single numbers as arrays without a dimension."""


class Shapes(NamedTuple):
    """Gaussians as rasterisers take them, float32 tensors on one device.

    means: (N, 3) scene units; quats: (N, 4) w, x, y, z, any length; scales: (N, 3); opacities: (N,) 0..1;
    sh: (N, K, 3).
    """

    means: Tensor
    quats: Tensor
    scales: Tensor
    opacities: Tensor
    sh: Tensor


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a trainer starts from.

    views: the photos to train on; unit: scene units, see schedule.scene_unit; affines: (V, 3, 4) exposure of each
    view, or None where they do not differ; rng: the loop's own, drawn from in the loop's order.
    """

    posed: PosedPhotos
    views: tuple[View, ...]
    preset: Preset
    unit: float
    affines: Float32 | None
    seed: int
    rng: np.random.Generator
    device: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a trainer found out about its steps since the look before; health/watch.py judges it.

    errors: (V,) mean absolute difference, 0..1, between each photo and its pictures, infinite where a picture had
    values that are not finite, NaN where the photo was not drawn. count: Gaussians; broken: those with a value that is
    not finite; visible: those that can be seen; crowding: memory that the
    fullest picture wanted, over what the device has for it: above 1 its farthest Gaussians were left out.
    """

    errors: Float64
    count: int
    broken: int
    visible: int
    crowding: float = 0.0


class Backend(Protocol):
    """A scene in training on one device."""

    @property
    def count(self) -> int:
        """Number of Gaussians."""

    def step(self, index: int, moment: Moment) -> None:
        """One step on photo `index`: picture, loss, gradients, Adam, and the edit of Gaussians where one is due."""

    def remove_floaters(self) -> int:
        """Applies core/floaters.py. Returns how many Gaussians went."""

    def look(self) -> Look:
        """What the steps since the last look were like. Waits for the device."""

    def drop_broken(self) -> int:
        """Removes Gaussians with values that are not finite. Returns how many went."""

    def scene(self) -> Gaussians:
        """A copy of the scene, on the host."""

    def save(self) -> State:
        """Everything that `load` needs to continue as if there had been no interruption."""

    def load(self, state: State) -> None: ...


def _runs_everywhere() -> None:
    return


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A trainer that can be chosen.

    check() raises BackendUnavailable where it cannot run. draw(shapes, camera, background (3,)) returns (3, H, W).
    """

    name: str
    device: Device
    begin: Callable[[Setup], Backend]
    draw: Callable[[Shapes, Camera, Tensor], Tensor]
    check: Callable[[], object] = _runs_everywhere
