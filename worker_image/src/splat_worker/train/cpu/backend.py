"""The CPU's trainer: one step is a picture, its loss, gradients by autograd, and Adam on the CPU's kernels.
Keeps no clock and no order of photos: loop.py does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Gaussians
from splat_worker.train.core import schedule
from splat_worker.train.core.backend import Kind, Look, Setup, State
from splat_worker.train.core.context import Device
from splat_worker.train.core.floaters import LONELY_FACTOR, OPACITY_MIN, rows_to_keep
from splat_worker.train.core.floaters import NEIGHBOURS as FLOATER_NEIGHBOURS
from splat_worker.train.core.start import NEIGHBOURS, start_from_points
from splat_worker.train.cpu.densification import Findings, edit
from splat_worker.train.cpu.kernels.neighbours import nearest_distances
from splat_worker.train.cpu.loss import photometric_loss
from splat_worker.train.cpu.photos import PhotoStore
from splat_worker.train.cpu.rasterize import rasterize
from splat_worker.train.cpu.splats import Splats
from splat_worker.train.cpu.trace import Trace


class CpuBackend:
    """A scene in training; see core/backend.py Backend."""

    def __init__(self, setup: Setup) -> None:
        self._setup, self._preset = setup, setup.preset
        self._splats = Splats.of(start_from_points(setup.posed, setup.preset, setup.rng, rms_distances))
        self._started_with = len(self._splats)
        self._findings = Findings(self._splats)
        same = np.eye(3, 4, dtype=np.float32)[None].repeat(len(setup.views), 0)
        self._affines = torch.from_numpy(same if setup.affines is None else setup.affines)
        self._longest_px = max(max(view.image.shape[:2]) for view in setup.views)
        self._stores: dict[int, PhotoStore] = {}
        self._errors: dict[int, list[float]] = {}

    @property
    def count(self) -> int:
        return len(self._splats)

    def step(self, index: int, moment: schedule.Moment) -> None:
        preset, splats = self._preset, self._splats
        store = self.photos_at(moment.part)
        affine = self._affines[index]
        behind = affine[:, :3].numpy() @ moment.background + affine[:, 3].numpy()
        view, target = store.views[index], store.target(index, behind)
        step = moment.step + 1
        rates = schedule.rates(preset, self._setup.unit, step / moment.steps)
        trace, shapes = Trace(), splats.shapes()
        left_out = schedule.left_out(preset, self._setup.seed, step, len(splats), "cpu")
        shown = shapes if left_out is None else shapes._replace(opacities=shapes.opacities * ~left_out)
        picture = rasterize(shown, view.camera, torch.from_numpy(moment.background), trace)
        loss, trace.errors = photometric_loss(picture, target, affine)
        self._errors.setdefault(index, []).append(float(trace.errors.mean()))
        if rates.opacity_weight:
            loss = loss + rates.opacity_weight * shapes.opacities.mean()
        if rates.scale_weight:
            loss = loss + rates.scale_weight * shapes.scales.mean()
        loss.backward()
        splats.step(rates)
        if step <= preset.densify_until * moment.steps:
            self._findings.collect(trace)
            if schedule.edit_due(preset, step, moment.steps):
                target_count = schedule.target(preset, self._started_with, step, moment.steps)
                edit(splats, self._findings, target=target_count, opacity_min=preset.opacity_prune)
                self._findings = Findings(splats)

    def remove_floaters(self) -> int:
        before, values = self.count, self._splats.values
        cameras = tuple(view.camera for view in self._setup.views)
        rows = rows_to_keep(values["means"], values["logits"], cameras, self._setup.posed.points, lonely)
        self._splats.take(rows)
        self._findings = Findings(self._splats)
        return before - self.count

    def look(self) -> Look:
        errors = np.full(len(self._setup.views), np.nan)
        for index, found in self._errors.items():
            errors[index] = np.mean(found) if np.isfinite(found).all() else np.inf
        self._errors = {}
        whole = self._splats.finite()
        visible = whole & (self._splats.values["logits"].detach().sigmoid() >= OPACITY_MIN)
        broken = self.count - int(whole.sum())
        return Look(errors=errors, count=self.count, broken=broken, visible=int(visible.sum()))

    def drop_broken(self) -> int:
        whole = self._splats.finite().nonzero()[:, 0]
        dropped = self.count - len(whole)
        if dropped:
            self._splats.take(whole)
            self._findings = Findings(self._splats)
        return dropped

    def scene(self) -> Gaussians:
        return self._splats.to_gaussians()

    def save(self) -> State:
        found = {f"found_{name}": tensor.numpy() for name, tensor in self._findings.__dict__.items()}
        return {**self._splats.save(), **found, "started_with": np.array(self._started_with)}

    def load(self, state: State) -> None:
        self._splats = Splats.load(state)
        self._findings = Findings(self._splats)
        for name in self._findings.__dict__:
            setattr(self._findings, name, torch.from_numpy(state[f"found_{name}"].copy()))
        self._started_with = int(state["started_with"])

    def photos_at(self, part: float) -> PhotoStore:
        """The photos at the size for this part of the run; those of the size before are dropped."""
        size = schedule.size_px(self._preset, self._longest_px, part)
        if size not in self._stores:
            self._stores = {size: PhotoStore(self._setup.views, size)}
        return self._stores[size]


def rms_distances(points: np.ndarray) -> np.ndarray:
    """(N,) root mean square distance of each of (N, 3) points to its nearest others."""
    near = nearest_distances(points.astype(np.float64), NEIGHBOURS)
    distances: np.ndarray = np.sqrt((near**2).mean(axis=1))
    return distances


def lonely(means: Tensor, suspects: Tensor) -> Tensor:
    """(S,) as core/floaters.py asks for."""
    distance = nearest_distances(means.numpy().astype(np.float64), FLOATER_NEIGHBOURS).mean(axis=1)
    return torch.from_numpy(distance > LONELY_FACTOR * np.median(distance))[suspects]


KIND = Kind(name="cpu", device=Device.CPU, begin=CpuBackend, draw=rasterize)
