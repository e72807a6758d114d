"""What the kernels must compute, written plainly: dense torch in float64, every derivative by autograd.
Shares no code and no shortcut with the kernels: all Gaussians at all pixels, no tiles, no early end but the rules.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Camera, Gaussians

BLUR_PX2 = 0.3
ALPHA_MIN, ALPHA_MAX, TRANSMITTANCE_MIN, NEAR = 1 / 255, 0.999, 1e-4, 0.01


def leaves(gaussians: Gaussians) -> dict[str, Tensor]:
    """The scene's arrays as float64 leaves of autograd."""
    names = ("means", "log_scales", "quats", "opacity_logits", "sh")
    return {n: torch.tensor(getattr(gaussians, n), dtype=torch.float64, requires_grad=True) for n in names}


def rotations(quats: Tensor) -> Tensor:
    w, x, y, z = torch.nn.functional.normalize(quats, dim=1).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, 1).reshape(-1, 3, 3)


def harmonics(directions: Tensor, k: int) -> Tensor:
    """(N, k) real spherical harmonics from the associated Legendre functions, Condon-Shortley phase included."""
    import math

    x, y, z = directions.unbind(1)
    radius = torch.sqrt(x * x + y * y).clamp_min(1e-12)
    cos, sin = x / radius, y / radius
    degree = math.isqrt(k) - 1
    legendre: dict[tuple[int, int], Tensor] = {}
    for m in range(degree + 1):
        factor = float(math.prod(range(1, 2 * m, 2))) * (-1) ** m
        legendre[m, m] = factor * radius**m
        if m < degree:
            legendre[m + 1, m] = (2 * m + 1) * z * legendre[m, m]
        for ell in range(m + 2, degree + 1):
            legendre[ell, m] = ((2 * ell - 1) * z * legendre[ell - 1, m] - (ell + m - 1) * legendre[ell - 2, m]) / (
                ell - m
            )
    cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]
    for _ in range(degree):
        cosines.append(cosines[-1] * cos - sines[-1] * sin)
        sines.append(sines[-1] * cos + cosines[-2] * sin)
    out = []
    for ell in range(degree + 1):
        for m in range(-ell, ell + 1):
            a = abs(m)
            norm = math.sqrt((2 * ell + 1) / (4 * math.pi) * math.factorial(ell - a) / math.factorial(ell + a))
            if m == 0:
                out.append(norm * legendre[ell, 0])
            else:
                out.append(math.sqrt(2) * norm * legendre[ell, a] * (sines[a] if m < 0 else cosines[a]))
    return torch.stack(out, 1)


def render(scene: dict[str, Tensor], camera: Camera, background: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(3, H, W) picture, (N, 2) screen means (gradients retained), (N, H, W) blending weights."""
    pose = torch.tensor(camera.world_to_camera)
    (fx, _, cx), (_, fy, cy), _ = camera.k.tolist()
    p = scene["means"] @ pose[:3, :3].T + pose[:3, 3]
    x, y, z = p.unbind(1)
    centre = torch.stack([fx * x / z + cx, fy * y / z + cy], 1)
    centre.retain_grad()
    margin_x, margin_y = 0.15 * camera.width / fx, 0.15 * camera.height / fy
    u = (x / z).clamp(-cx / fx - margin_x, (camera.width - cx) / fx + margin_x)
    v = (y / z).clamp(-cy / fy - margin_y, (camera.height - cy) / fy + margin_y)
    o = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, o, -fx * u / z, o, fy / z, -fy * v / z], 1).reshape(-1, 2, 3)
    shape = rotations(scene["quats"]) * scene["log_scales"].exp()[:, None, :]
    m = jacobian @ pose[:3, :3] @ shape
    conic = torch.linalg.inv(m @ m.transpose(1, 2) + BLUR_PX2 * torch.eye(2, dtype=torch.float64))

    ys, xs = torch.meshgrid(
        torch.arange(camera.height, dtype=torch.float64) + 0.5,
        torch.arange(camera.width, dtype=torch.float64) + 0.5,
        indexing="ij",
    )
    d = torch.stack([xs, ys], -1) - centre[:, None, None, :]
    power = -0.5 * torch.einsum("nhwi,nij,nhwj->nhw", d, conic, d)
    alpha = torch.sigmoid(scene["opacity_logits"])[:, None, None] * power.exp()
    alpha = torch.where((alpha >= ALPHA_MIN) & (z > NEAR)[:, None, None], alpha, torch.zeros_like(alpha))
    alpha = alpha.clamp_max(ALPHA_MAX)

    direction = torch.nn.functional.normalize(scene["means"] - torch.tensor(camera.centre), dim=1)
    basis = harmonics(direction, scene["sh"].shape[1])
    colour = (torch.einsum("nk,nkc->nc", basis, scene["sh"]) + 0.5).clamp_min(0)

    order = torch.argsort(z.detach())
    through = torch.cumprod(1 - alpha[order], 0)
    before = torch.cat([torch.ones_like(through[:1]), through[:-1]])
    goes_on = (through.detach() > TRANSMITTANCE_MIN).to(torch.float64)
    weight = alpha[order] * before * goes_on
    last = torch.where(goes_on > 0, through, torch.full_like(through, np.inf)).min(0).values
    last = torch.where(torch.isinf(last), torch.ones_like(last), last)
    image = torch.einsum("nhw,nc->chw", weight, colour[order]) + background[:, None, None] * last
    weights = torch.empty_like(weight)
    weights[order] = weight
    return image, centre, weights


def loss(image: Tensor, photo: Tensor, mask: Tensor | None, ssim_share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, sum of absolute errors, sum of SSIM. image, photo: (3, H, W) float64 0..1; mask: (H, W) bool."""
    if mask is not None:
        image = torch.where(mask, image, photo)
    taps = torch.exp(-0.5 * ((torch.arange(11, dtype=torch.float64) - 5) / 1.5) ** 2)
    window = torch.outer(taps, taps)[None, None] / taps.sum() ** 2
    blur = lambda a: torch.nn.functional.conv2d(a[:, None], window, padding=5)[:, 0]  # noqa: E731
    a, b = blur(image), blur(photo)
    aa, bb, ab = blur(image * image) - a * a, blur(photo * photo) - b * b, blur(image * photo) - a * b
    ssim = (2 * a * b + 1e-4) * (2 * ab + 9e-4) / ((a * a + b * b + 1e-4) * (aa + bb + 9e-4))
    if mask is not None:
        ssim = torch.where(mask, ssim, torch.ones_like(ssim))
    off = (image - photo).abs()
    return (1 - ssim_share) * off.mean() + ssim_share * (1 - ssim.mean()), off.sum(), ssim.sum()
