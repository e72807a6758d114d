"""The trainable scene: parameter tensors with their Adam moments, growing and shrinking as one.
Knows no camera, no loss and no schedule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.train.cpu.neighbours import nearest_distances

SH_C0 = 0.28209479177387814
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15
NAMES = ("means", "log_scales", "quats", "logits", "colour", "sh")
_NEIGHBOURS = 3


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

    @property
    def device(self) -> torch.device:
        return self.values["means"].device

    def activated(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """means, quats, scales, opacities, sh (N, K, 3) as `rasterize` takes them."""
        v = self.values
        sh = torch.cat([v["colour"], v["sh"]], dim=1) if v["sh"].shape[1] else v["colour"]
        return v["means"], v["quats"], v["log_scales"].exp(), v["logits"].sigmoid(), sh

    @torch.no_grad()
    def step(self, rates: Mapping[str, float]) -> None:
        """One Adam step with a rate per name; gradients are consumed."""
        self.steps += 1
        for name, value in self.values.items():
            if value.grad is None or value.numel() == 0:
                continue
            _adam(value, value.grad, self.first[name], self.second[name], rates[name], self.steps)
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
        means, _, _, _, sh = self.activated()
        v = self.values
        quats = torch.nn.functional.normalize(v["quats"], dim=-1)
        parts = (means, v["log_scales"], quats, v["logits"], sh)
        m, s, q, o, c = (part.detach().cpu().numpy().astype(np.float32, copy=True) for part in parts)
        return Gaussians(means=m, log_scales=s, quats=q, opacity_logits=o, sh=c)


def _adam(value: Tensor, grad: Tensor, first: Tensor, second: Tensor, rate: float, step: int) -> None:  # noqa: PLR0917
    if value.device.type == "cpu":
        from splat_worker.train.cpu.adam import adam

        flat = (t.detach().numpy().reshape(-1) for t in (value, grad.contiguous(), first, second))
        adam(*flat, rate, BETA1, BETA2, EPSILON, step)
        return
    first.lerp_(grad, 1 - BETA1)
    second.mul_(BETA2).addcmul_(grad, grad, value=1 - BETA2)
    divisor = (second / (1 - BETA2**step)).sqrt_().add_(EPSILON)
    value.addcdiv_(first, divisor, value=-rate / (1 - BETA1**step))


def start_from_points(
    posed: PosedPhotos, *, limit: int, sh_degree: int, opacity: float, rng: np.random.Generator, device: str
) -> Splats:
    """One round Gaussian per sparse point, as large as the mean distance to its three neighbours.

    More points than `limit` are thinned at random. Raises ValueError with fewer than 4 points.
    """
    count = len(posed.points)
    if count <= _NEIGHBOURS:
        raise ValueError(
            f"training starts from a sparse cloud of {count} points, at least {_NEIGHBOURS + 1} are needed"
        )
    chosen = np.arange(count)
    if count > limit:
        chosen = np.sort(rng.choice(count, limit, replace=False))
    points = posed.points[chosen].astype(np.float64)
    near = nearest_distances(points, _NEIGHBOURS)
    size = np.sqrt((near**2).mean(axis=1))
    size = np.clip(size, 1e-6, np.quantile(size, 0.98))
    colours = posed.point_colours[chosen].astype(np.float64) / 255.0
    n = len(points)
    values = {
        "means": points,
        "log_scales": np.log(size)[:, None].repeat(3, axis=1),
        "quats": np.tile([1.0, 0.0, 0.0, 0.0], (n, 1)),
        "logits": np.full(n, np.log(opacity / (1 - opacity))),
        "colour": ((colours - 0.5) / SH_C0)[:, None, :],
        "sh": np.zeros((n, (sh_degree + 1) ** 2 - 1, 3)),
    }
    return Splats({k: torch.tensor(v, dtype=torch.float32, device=device) for k, v in values.items()})
