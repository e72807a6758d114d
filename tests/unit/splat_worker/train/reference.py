"""A dense rasteriser in float64 from gsplat's own torch functions, and small scenes to try it on.
Slow and plain on purpose: it is what the kernels are compared with.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from gsplat.cuda._torch_impl import (
    _fully_fused_projection,
    _quat_scale_to_covar_preci,
    _spherical_harmonics,
)
from torch import Tensor

from splat_worker.scene import Camera
from splat_worker.train.core.backend import Shapes


def dense(  # noqa: PLR0917
    means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, sh: Tensor, camera: Camera, background: Tensor
) -> Tensor:
    """(3, H, W) picture, every pixel against every Gaussian, in the tensors' own precision."""
    return dense_parts(Shapes(means, quats, scales, opacities, sh), camera, background)[0]


def dense_parts(shapes: Shapes, camera: Camera, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The picture, (N,) half extents in px, and the (1, N, 2) projected means that it was drawn from."""
    means, quats, scales, opacities, sh = shapes
    kind = means.dtype
    pose = torch.tensor(camera.world_to_camera, dtype=kind)[None]
    k = torch.tensor(camera.k, dtype=kind)[None]
    covariances, _ = _quat_scale_to_covar_preci(quats, scales, True, False, False)
    radii, all_centres, depths, conics, _ = _fully_fused_projection(
        means, covariances, pose, k, camera.width, camera.height
    )
    centres, depths, conics = all_centres[0], depths[0], conics[0]
    directions = means - torch.tensor(camera.centre, dtype=kind)
    colours = _spherical_harmonics(math.isqrt(sh.shape[1]) - 1, directions, sh).add(0.5).clamp(min=0)
    # of that precision, too: a float32 grid minus a float64 scalar would be float32 in torch
    rows, columns = torch.arange(camera.height, dtype=kind), torch.arange(camera.width, dtype=kind)
    y, x = torch.meshgrid(rows + 0.5, columns + 0.5, indexing="ij")
    through = torch.ones(camera.height, camera.width, dtype=kind)
    picture = torch.zeros(3, camera.height, camera.width, dtype=kind)
    for i in torch.argsort(depths).tolist():
        if depths[i] <= 0.01:
            continue
        dx, dy = x - centres[i, 0], y - centres[i, 1]
        power = 0.5 * (conics[i, 0] * dx * dx + conics[i, 2] * dy * dy) + conics[i, 1] * dx * dy
        alpha = (opacities[i] * torch.exp(-power)).clamp(max=0.999)
        alpha = torch.where((alpha >= 1 / 255) & (through > 1e-4), alpha, 0.0)
        picture = picture + colours[i][:, None, None] * (alpha * through)
        through = through * (1 - alpha)
    radii_px = radii.reshape(len(means), -1).amax(-1).to(kind)
    return picture + through * background[:, None, None], radii_px, all_centres


def camera(width: int = 45, height: int = 33, turn: tuple[float, float] = (0.1, -0.15)) -> Camera:
    """A camera about 2.5 units in front of the origin, with a principal point off the centre."""
    (c0, s0), (c1, s1) = ((math.cos(a), math.sin(a)) for a in turn)
    about_x = np.array([[1, 0, 0], [0, c0, -s0], [0, s0, c0]])
    about_y = np.array([[c1, 0, s1], [0, 1, 0], [-s1, 0, c1]])
    pose = np.eye(4)
    pose[:3, :3] = about_x @ about_y
    pose[:3, 3] = [0.1, -0.05, 2.5]
    k = np.array([[40.0, 0, 21], [0, 42, 17], [0, 0, 1]])
    return Camera(world_to_camera=pose, k=k, width=width, height=height)


def arrays(n: int, sh_degree: int, seed: int) -> list[np.ndarray]:
    """means, quats, scales, opacities, sh of n random Gaussians in a cube of side 2, float64."""
    rng = np.random.default_rng(seed)
    return [
        rng.uniform(-1, 1, (n, 3)),
        rng.normal(size=(n, 4)),
        np.exp(rng.normal(-2, 0.7, (n, 3))),
        rng.uniform(0.05, 0.99, n),
        rng.normal(0, 0.4, (n, (sh_degree + 1) ** 2, 3)),
    ]
