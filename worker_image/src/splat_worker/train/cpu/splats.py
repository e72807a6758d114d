"""The scene in training on a CPU: parameter tensors with their Adam moments, growing and shrinking as one.
Knows no camera, no loss and no schedule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Gaussians
from splat_worker.train.core.backend import Shapes, State
from splat_worker.train.core.preset import ADAM_DECAYS, ADAM_EPSILON
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cpu.kernels.adam import adam

NAMES = ("means", "log_scales", "quats", "logits", "colour", "sh")


class Splats:
    """Parameters by name, each (N, ...) float32, and per name the two Adam moments of the same shape.

    means; log_scales; quats (w, x, y, z, any length); logits (N,); colour (N, 1, 3) the constant term of the
    spherical harmonics; sh (N, K - 1, 3) the rest, possibly no row.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self.values = {name: values[name].detach().clone().requires_grad_() for name in NAMES}
        self.first = {name: torch.zeros_like(values[name]) for name in NAMES}
        self.second = {name: torch.zeros_like(values[name]) for name in NAMES}
        self.steps = 0

    def __len__(self) -> int:
        return len(self.values["means"])

    @classmethod
    def of(cls, scene: Gaussians) -> Splats:
        """A scene without moments."""
        parts = (scene.means, scene.log_scales, scene.quats, scene.opacity_logits, scene.sh[:, :1], scene.sh[:, 1:])
        return cls({name: torch.from_numpy(part) for name, part in zip(NAMES, parts, strict=True)})

    @classmethod
    def load(cls, state: State) -> Splats:
        """The scene that `save` wrote."""
        splats = cls({name: torch.from_numpy(state[f"value_{name}"]) for name in NAMES})
        splats.first = {name: torch.from_numpy(state[f"first_{name}"].copy()) for name in NAMES}
        splats.second = {name: torch.from_numpy(state[f"second_{name}"].copy()) for name in NAMES}
        splats.steps = int(state["adam_steps"])
        return splats

    def save(self) -> State:
        """Parameters and moments as arrays."""
        parts = {"value": self.values, "first": self.first, "second": self.second}
        arrays = {f"{part}_{name}": tensors[name].detach().numpy() for part, tensors in parts.items() for name in NAMES}
        return {**arrays, "adam_steps": np.array(self.steps)}

    def finite(self) -> Tensor:
        """(N,) whether all values of a Gaussian are finite, and its moments."""
        arrays = [part[name].detach() for part in (self.values, self.first, self.second) for name in NAMES]
        return torch.stack([torch.isfinite(array).reshape(len(self), -1).all(1) for array in arrays]).all(0)

    def shapes(self) -> Shapes:
        """As the rasteriser takes them; gradients reach the parameters."""
        v = self.values
        sh = torch.cat([v["colour"], v["sh"]], dim=1) if v["sh"].shape[1] else v["colour"]
        return Shapes(v["means"], v["quats"], v["log_scales"].exp(), v["logits"].sigmoid(), sh)

    @torch.no_grad()
    def step(self, rates: Rates) -> None:
        """One Adam step; gradients are consumed."""
        self.steps += 1
        by_name = (rates.mean, rates.scale, rates.quat, rates.opacity, rates.sh0, rates.sh)
        for (name, value), rate in zip(self.values.items(), by_name, strict=True):
            if value.grad is None or value.numel() == 0:
                continue
            parts = (value, value.grad.contiguous(), self.first[name], self.second[name])
            flat = (part.detach().numpy().reshape(-1) for part in parts)
            adam(*flat, rate, *ADAM_DECAYS, ADAM_EPSILON, self.steps)
            value.grad = None

    @torch.no_grad()
    def take(self, rows: Tensor) -> None:
        """Keeps the named rows, moments included, in that order."""
        self.values = {name: value[rows].clone().requires_grad_() for name, value in self.values.items()}
        self.first = {name: moment[rows].clone() for name, moment in self.first.items()}
        self.second = {name: moment[rows].clone() for name, moment in self.second.items()}

    @torch.no_grad()
    def append(self, added: Mapping[str, Tensor]) -> None:
        """Adds rows, which start without moments."""
        for name in NAMES:
            self.values[name] = torch.cat([self.values[name], added[name]]).requires_grad_()
            self.first[name] = torch.cat([self.first[name], torch.zeros_like(added[name])])
            self.second[name] = torch.cat([self.second[name], torch.zeros_like(added[name])])

    @torch.no_grad()
    def to_gaussians(self) -> Gaussians:
        """A copy in the standard parametrisation."""
        v = self.values
        quats = torch.nn.functional.normalize(v["quats"], dim=-1)
        parts = (v["means"], v["log_scales"], quats, v["logits"], torch.cat([v["colour"], v["sh"]], dim=1))
        m, s, q, o, c = (part.detach().numpy().astype(np.float32, copy=True) for part in parts)
        return Gaussians(means=m, log_scales=s, quats=q, opacity_logits=o, sh=c)
