"""A training run's state on the GPU and its steps: parameters, Adam, densification statistics; one call a step.
Decides nothing (rates, sizes, who splits: see backend.py) and never waits for the GPU inside a step.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera, Gaussians
from splat_worker.train.core.preset import ADAM_DECAYS, ADAM_EPSILON, SSIM_SHARE
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import Arena, stream_of
from splat_worker.train.cuda.library import Kernels, load
from splat_worker.train.cuda.memory import INSTANCES_LIMIT
from splat_worker.train.cuda.rooms import RoomPlan

# Instances sorted for a view that has no count yet.
FIRST_ROOM = 1 << 20


@dataclass(frozen=True, kw_only=True)
class DeviceView:
    """One photo at one size on the GPU. rgb: (H, W, 3) uint8; mask: (H, W) uint8 or None; slot: its number.

    map: (3, 4) float32 or None: what the photo's exposure makes of the scene's colours. cover: (H, W) uint8 or None:
    how much of a pixel the subject covers, where it is in front of nothing; rgb is then over black.
    """

    camera: layout.CCamera
    rgb: Tensor
    mask: Tensor | None
    slot: int
    map: Tensor | None = None
    cover: Tensor | None = None

    def __post_init__(self) -> None:
        want = (self.camera.height, self.camera.width, 3)
        if tuple(self.rgb.shape) != want or self.rgb.dtype != torch.uint8 or not self.rgb.is_contiguous():
            order = "" if self.rgb.is_contiguous() else " not contiguous"
            raise ValueError(
                f"rgb is {self.rgb.dtype} {tuple(self.rgb.shape)}{order}, contiguous uint8 {want} is needed"
            )

    def over(self, background: Tensor) -> DeviceView:
        """The photo with this colour of the scene, (3,) 0..1, behind a subject in front of nothing."""
        assert self.cover is not None
        shown = background if self.map is None else self.map[:, :3] @ background + self.map[:, 3]
        open_share = (255 - self.cover.to(torch.float32))[..., None]
        rgb = self.rgb.to(self.cover.device, torch.float32) + open_share * shown
        return replace(self, rgb=rgb.add_(0.5).clamp_(0, 255).to(torch.uint8))

    @property
    def photo(self) -> layout.CPhoto:
        """The struct that the kernels take."""
        mask, colours = (None if t is None else t.data_ptr() for t in (self.mask, self.map))
        return layout.CPhoto(rgb=self.rgb.data_ptr(), mask=mask, map=colours)


class StepEngine(Protocol):
    """What a trainer needs of whatever computes its steps: our kernels, or gsplat's (gsplat/engine.py)."""

    step_number: int
    count: int
    params: Tensor  # (59, count), layout.py's rows
    moments: tuple[Tensor, Tensor]  # Adam's, of the same shape
    stats: Tensor  # (4, count), see Engine.stats

    def step(
        self, view: DeviceView, rates: Rates, *, degree: int, seed: int, background: tuple[float, ...]
    ) -> None: ...

    def replace(self, columns: Tensor, moments: tuple[Tensor, Tensor]) -> None: ...

    def forget_rooms(self) -> None: ...

    def gaussians(self, degree: int) -> Gaussians: ...

    def loss_sums(self) -> np.ndarray: ...

    @property
    def crowding(self) -> float: ...


class Engine:
    """Gaussians in training. `count` of `capacity` columns are in use."""

    def __init__(
        self,
        start: Gaussians,
        *,
        capacity: int,
        views: int,
        pixels_max: int,
        tiles_max: int,
        device: str = "cuda",
        kernels: Kernels | None = None,
        first_room: int = FIRST_ROOM,
        instances_max: int = INSTANCES_LIMIT,
    ) -> None:
        self.kernels = kernels or load()
        self.device = device
        if len(start) > capacity:
            raise ValueError(f"{len(start)} Gaussians to start with, capacity {capacity}: raise it or start with fewer")
        self.arena = Arena(
            kernels=self.kernels,
            device=device,
            capacity=capacity,
            pixels=pixels_max,
            tiles=tiles_max,
            instances=first_room,
            training=True,
            instances_max=instances_max,
        )
        self.count = len(start)
        self.params[:] = to_rows(start, device)
        self.step_number = 0
        self._rooms = RoomPlan(first_guess=first_room, most=instances_max)
        # The GPU writes each view's instance count here during the step; the host reads the last value written.
        seen = torch.zeros(views, dtype=torch.int32)
        self._seen = seen.pin_memory() if device != "cpu" else seen
        self._seen_array = self._seen.numpy()
        self._pending: dict[int, tuple[int, int]] = {}
        self._drawn: set[int] = set()  # slots, since the Gaussians were last replaced
        self._loss_sums = torch.zeros(views, 2, device=device)

    @property
    def params(self) -> Tensor:
        """(59, count) live view: layout.MEAN, SCALE, QUAT, OPACITY, SH rows."""
        return self.arena["params"][:, : self.count]

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Adam's two (59, count) live views."""
        return self.arena["first_moment"][:, : self.count], self.arena["second_moment"][:, : self.count]

    @property
    def stats(self) -> Tensor:
        """(4, count) live view: summed screen-gradient length, times seen, error share, largest extent."""
        return self.arena["stats"][:, : self.count]

    @property
    def overflows(self) -> int:
        """Steps whose view wanted more instances than were sorted (its farthest Gaussians were left out)."""
        return self._rooms.overflows

    @property
    def crowding(self) -> float:
        """Instances that the most demanding view wanted since the Gaussians were last replaced, over those that the
        card has room for; above 1 its farthest Gaussians were left out. Of steps that the GPU has done."""
        return max((self._counted(slot) for slot in self._drawn), default=0) / self._rooms.most

    def _counted(self, slot: int) -> int:
        return int(self._seen_array[slot]) & 0xFFFFFFFF  # the kernels count without a sign

    def step(
        self,
        view: DeviceView,
        rates: Rates,
        *,
        degree: int,
        seed: int = 0,
        background: tuple[float, ...] = (0.0, 0.0, 0.0),
    ) -> None:
        """One picture, its loss and the update of every Gaussian, queued on the current stream."""
        if view.camera.width * view.camera.height > self.arena.pixels or view.camera.tiles > self.arena.tiles:
            raise ValueError(
                f"a photo of {view.camera.width}x{view.camera.height} px is larger than those this engine was made for"
            )
        self.step_number += 1
        room = self._room(view.slot)
        struct = self.arena.struct
        struct.instances_seen = self._seen.data_ptr() + 4 * view.slot
        struct.loss_sums = self._loss_sums.data_ptr() + 8 * view.slot
        self.kernels.step(
            ctypes.byref(struct),
            ctypes.byref(view.camera),
            self.count,
            room,
            degree,
            (ctypes.c_float * 3)(*background),
            ctypes.byref(view.photo),
            SSIM_SHARE,
            ctypes.byref(update_struct(rates, self.step_number, seed)),
            stream_of(self.device),
        )
        self._pending[view.slot] = (self.count, room)
        self._drawn.add(view.slot)

    def render(self, camera: Camera, *, degree: int, background: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Tensor:
        """(3, H, W) float32: the picture of `camera`, in the arena's memory until the next call."""
        c = layout.camera_struct(camera)
        if c.width * c.height > self.arena.pixels or c.tiles > self.arena.tiles:
            raise ValueError(f"a picture of {c.width}x{c.height} px is larger than those this engine was made for")
        self.arena.render(c, self.count, degree=degree, background=background, train=False)
        return self.arena.picture("image", c.width, c.height)

    def replace(self, columns: Tensor, moments: tuple[Tensor, Tensor]) -> None:
        """Sets all Gaussians: columns and both moments (59, M), M at most the capacity. Statistics restart."""
        count = columns.shape[1]
        if count > self.arena.capacity:
            raise ValueError(f"{count} Gaussians, capacity {self.arena.capacity}")
        self.count = count
        self.params[:] = columns
        for live, new in zip(self.moments, moments, strict=True):
            live[:] = new
        self.arena["stats"].zero_()
        self._drawn.clear()

    def forget_rooms(self) -> None:
        """Call when the pictures' size changes."""
        self._rooms.forget()
        self._pending.clear()

    def gaussians(self, degree: int = 3) -> Gaussians:
        """The scene so far, on the host."""
        return from_rows(self.params, degree)

    def loss_sums(self) -> np.ndarray:
        """(views, 2) sums of absolute error and of SSIM over each view's values since the last call; waits for the
        GPU."""
        sums: np.ndarray = self._loss_sums.cpu().numpy().astype(np.float64)
        self._loss_sums.zero_()
        return sums

    def _room(self, slot: int) -> int:
        if slot in self._pending and (counted := self._counted(slot)) > 0:
            gaussians, room = self._pending[slot]
            self._rooms.note(slot, counted=counted, gaussians=gaussians, room=room)
        room = self._rooms.room(slot, self.count)
        self.arena.make_room(room)
        return room


def update_struct(rates: Rates, step_number: int, seed: int) -> layout.CUpdate:
    """Adam's step at `step_number` (from 1), bias corrections folded into the rates."""
    first, second = ADAM_DECAYS
    root = (1 - second**step_number) ** 0.5
    factor = root / (1 - first**step_number)
    return layout.CUpdate(
        rate_mean=rates.mean * factor,
        rate_scale=rates.scale * factor,
        rate_quat=rates.quat * factor,
        rate_opacity=rates.opacity * factor,
        rate_sh0=rates.sh0 * factor,
        rate_sh=rates.sh * factor,
        epsilon=ADAM_EPSILON * root,
        decay_first=first,
        decay_second=second,
        opacity_weight=rates.opacity_weight,
        scale_weight=rates.scale_weight,
        noise=rates.noise,
        seed=(seed * 0x9E3779B9 + step_number) & 0xFFFFFFFF,
    )


def to_rows(gaussians: Gaussians, device: str) -> Tensor:
    """(59, N) columns of a scene; missing spherical harmonics are zero."""
    n = len(gaussians)
    rows = np.zeros((layout.ROWS, n), np.float32)
    rows[layout.MEAN] = gaussians.means.T
    rows[layout.SCALE] = gaussians.log_scales.T
    rows[layout.QUAT] = gaussians.quats.T
    rows[layout.OPACITY] = gaussians.opacity_logits
    sh = gaussians.sh.reshape(n, -1).T
    rows[layout.SH.start : layout.SH.start + len(sh)] = sh
    return torch.from_numpy(rows).to(device)


def from_rows(columns: Tensor, degree: int) -> Gaussians:
    """The inverse of to_rows, with spherical harmonics up to `degree`."""
    rows = columns.detach().cpu().numpy()
    count = rows.shape[1]
    used = 3 * (degree + 1) ** 2
    return Gaussians(
        means=np.ascontiguousarray(rows[layout.MEAN].T),
        log_scales=np.ascontiguousarray(rows[layout.SCALE].T),
        quats=np.ascontiguousarray(rows[layout.QUAT].T),
        opacity_logits=np.ascontiguousarray(rows[layout.OPACITY]),
        sh=np.ascontiguousarray(rows[layout.SH.start : layout.SH.start + used].T).reshape(count, used // 3, 3),
    )
