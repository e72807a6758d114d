"""A training step on gsplat's kernels: picture, loss and gradients under autograd, then Adam and the random walk.
The same step that the kernels of cuda/ compute, written plainly; rates, sizes and edits come from cuda/backend.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Gaussians
from splat_worker.train.core.backend import Shapes
from splat_worker.train.core.densification import axes_of
from splat_worker.train.core.preset import ADAM_DECAYS, ADAM_EPSILON
from splat_worker.train.core.schedule import Rates
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.engine import DeviceView, from_rows, to_rows
from splat_worker.train.gsplat.loss import photometric_loss
from splat_worker.train.gsplat.rasterize import Drawn, drawn

Draw = Callable[[Shapes, layout.CCamera, Tensor], Drawn]


class GsplatEngine:
    """Gaussians in training; see cuda/engine.py StepEngine. draw: what makes a picture, gsplat's kernels."""

    def __init__(self, start: Gaussians, device: str, draw: Draw = drawn, *, views: int = 1) -> None:
        self._draw = draw
        self.step_number = 0
        self.params = to_rows(start, device)
        self.moments = (torch.zeros_like(self.params), torch.zeros_like(self.params))
        self.stats = torch.zeros(layout.STATS, self.count, device=device)
        self._sums = torch.zeros(views, 2, device=device)

    @property
    def count(self) -> int:
        return self.params.shape[1]

    def step(self, view: DeviceView, rates: Rates, *, degree: int, seed: int, background: tuple[float, ...]) -> None:
        self.step_number += 1
        device = self.params.device
        columns = self.params.clone().requires_grad_()
        shapes = _shapes(columns, degree)
        picture, radii_px, centres = self._draw(shapes, view.camera, torch.tensor(background, device=device))
        centres.retain_grad()
        photo = view.rgb.to(device).permute(2, 0, 1).float() / 255.0
        loss, error = photometric_loss(picture, photo, view.map, None if view.mask is None else view.mask.bool())
        self._sums[view.slot, 0] += 3 * error.sum()
        loss = loss + rates.opacity_weight * shapes.opacities.mean() + rates.scale_weight * shapes.scales.mean()
        loss.backward()
        assert columns.grad is not None
        self._count_findings(view.camera, radii_px, centres)
        before = self.params
        self.params = before - self._adam(columns.grad, rates)
        if rates.noise:
            chance = torch.Generator(device).manual_seed(seed * 1_000_003 + self.step_number)
            self.params[layout.MEAN] += rates.noise * _random_walk(before, chance)

    def replace(self, columns: Tensor, moments: tuple[Tensor, Tensor]) -> None:
        self.params, self.moments = columns, moments
        self.stats = torch.zeros(layout.STATS, self.count, device=columns.device)

    def forget_rooms(self) -> None:
        """gsplat measures how much memory each picture needs."""

    @property
    def crowding(self) -> float:
        """gsplat takes what memory it needs, or runs out of it."""
        return 0.0

    def loss_sums(self) -> np.ndarray:
        """As in cuda/engine.py, but without those of SSIM."""
        sums: np.ndarray = self._sums.cpu().numpy().astype(np.float64)
        self._sums.zero_()
        return sums

    def gaussians(self, degree: int) -> Gaussians:
        return from_rows(self.params, degree)

    def _count_findings(self, camera: layout.CCamera, radii_px: Tensor, centres: Tensor) -> None:
        """Rows of stats as in cuda/engine.py, in units of half the picture; gsplat has no error shares."""
        pulls: Tensor = getattr(centres, "absgrad", centres.grad)[0]
        half = torch.tensor([0.5 * camera.width, 0.5 * camera.height], device=pulls.device)
        seen = radii_px > 0
        self.stats[0] += (pulls * half).norm(dim=1) * seen
        self.stats[1] += seen
        self.stats[3] = torch.maximum(self.stats[3], 2.0 * radii_px / max(camera.width, camera.height))

    def _adam(self, gradient: Tensor, rates: Rates) -> Tensor:
        """(59, N) how far each value moves; the moments take the gradient in."""
        (b1, b2), t = ADAM_DECAYS, self.step_number
        first, second = self.moments
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient.square()
        self.moments = (first, second)
        by_kind = (rates.mean, rates.scale, rates.quat, rates.opacity, rates.sh0, rates.sh)
        rows = torch.tensor([3, 3, 4, 1, 3, layout.ROWS - 14], device=gradient.device)
        rate = torch.tensor(by_kind, device=gradient.device).repeat_interleave(rows)[:, None]
        return rate / (1 - b1**t) * first / ((second / (1 - b2**t)).sqrt() + ADAM_EPSILON)


def _shapes(columns: Tensor, degree: int) -> Shapes:
    rows = (degree + 1) ** 2
    return Shapes(
        means=columns[layout.MEAN].T.contiguous(),
        quats=columns[layout.QUAT].T.contiguous(),
        scales=columns[layout.SCALE].T.exp().contiguous(),
        opacities=columns[layout.OPACITY].sigmoid(),
        sh=columns[layout.SH][: 3 * rows].T.reshape(-1, rows, 3).contiguous(),
    )


def _random_walk(columns: Tensor, chance: torch.Generator) -> Tensor:
    """(3, N) a step along each Gaussian's own shape, only where it is faint (Kheradmand et al. 2024, 3DGS-MCMC)."""
    axes = axes_of(columns[layout.QUAT].T)
    normal = torch.randn(len(axes), 3, device=columns.device, generator=chance)
    along = (2.0 * columns[layout.SCALE].T).exp() * torch.einsum("nar,nr->na", axes, normal)
    transparency = 1.0 - columns[layout.OPACITY].sigmoid()
    return torch.sigmoid(100.0 * (transparency - 0.995)) * torch.einsum("nar,na->rn", axes, along)
