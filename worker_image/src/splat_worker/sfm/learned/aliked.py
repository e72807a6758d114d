"""ALIKED features as tensor operations. Arrays in, arrays out. Imports torch, so import it only where needed.

Zhao et al., ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable Transformation (IEEE TIM 2023).
The published code (github.com/Shiaoming/ALIKED, BSD-3-Clause) holds 128 channels for every pixel. Here the score head
works on the coarse maps before they are enlarged, and channels are computed only where a descriptor reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from splat_worker.sfm.learned import weights

PAD_TO = 32
COARSE = (2, 8, 32)
"""Size of a pixel of the coarse maps, in pixels of the photo."""
RADIUS = 2  # of non-maximum suppression and of the refinement, in px
SCORE_MIN = 0.2
TEMPERATURE = 0.1
SAMPLES = 16  # positions that a descriptor reads
BATCH_NORM_EPS = 1e-5
WIDTH = 128


@dataclass(frozen=True, kw_only=True)
class LearnedFeatures:
    """pixels: (N, 2) float32 x, y in px of the photo (the first pixel's centre is at 0.5, 0.5), best first;
    descriptors: (N, 128) unit float32, on the device; size: width and height of the photo in px."""

    pixels: NDArray[np.float32]
    descriptors: Tensor
    size: tuple[int, int]


class Aliked:
    """The network on one torch device."""

    def __init__(self, device: str) -> None:
        self._weights = _folded(weights.read(weights.ALIKED, device))
        self._device = device

    @torch.inference_mode()
    def find(self, photo: NDArray[np.uint8], *, features_max: int) -> LearnedFeatures:
        """The best `features_max` features of a (H, W, 3) sRGB photo, found at its own size."""
        image = torch.from_numpy(photo.copy()).to(self._device).permute(2, 0, 1)[None].float() / 255.0
        height, width = photo.shape[:2]
        left, right, top, bottom = _padding(width), _padding(width), _padding(height), _padding(height)
        left, top = left // 2, top // 2
        padded = functional.pad(image, (left, right - left, top, bottom - top), mode="replicate")
        maps = self._maps(padded)
        scores = self._scores(maps)[0, 0, top : top + height, left : left + width]
        at = _keypoints(scores, features_max)
        described = self._describe(maps, at, (left, top), (width, height))
        pixels = (at + 0.5).cpu().numpy().astype(np.float32)
        return LearnedFeatures(pixels=pixels, descriptors=described, size=(width, height))

    def _maps(self, image: Tensor) -> list[Tensor]:
        """Four maps of 32 channels: of the image's size, and of COARSE."""
        w = self._weights
        x1 = functional.selu(functional.conv2d(image, w["block1.conv1"], w["block1.bias1"], padding=1))
        x1 = functional.selu(functional.conv2d(x1, w["block1.conv2"], w["block1.bias2"], padding=1))
        x2 = self._block("block2", functional.avg_pool2d(x1, 2))
        x3 = self._block("block3", functional.avg_pool2d(x2, 4))
        x4 = self._block("block4", functional.avg_pool2d(x3, 4))
        return [
            functional.selu(functional.conv2d(x, w[f"conv{number}.weight"]))
            for number, x in enumerate((x1, x2, x3, x4), start=1)
        ]

    def _block(self, name: str, x: Tensor) -> Tensor:
        """A residual block of two convolutions, deformable in the blocks that have offsets."""
        w, out = self._weights, x
        for number in (1, 2):
            weight, bias = w[f"{name}.conv{number}"], w[f"{name}.bias{number}"]
            offset = w.get(f"{name}.conv{number}.offset_conv.weight")
            if offset is None:
                out = functional.conv2d(out, weight, bias, padding=1)
            else:
                moved = functional.conv2d(out, offset, w[f"{name}.conv{number}.offset_conv.bias"], padding=1)
                out = _deformed(out, moved, weight, bias)
            if number == 1:
                out = functional.selu(out)
        return functional.selu(out + functional.conv2d(x, w[f"{name}.downsample.weight"], w[f"{name}.downsample.bias"]))

    def _scores(self, maps: list[Tensor]) -> Tensor:
        """(1, 1, H, W) scores, 0 to 1. A pointwise convolution and an enlargement commute."""
        w = self._weights
        parts = w["score_head.0.weight"].split(maps[0].shape[1], dim=1)
        size = maps[0].shape[2:]
        x = functional.conv2d(maps[0], parts[0])
        for coarse, part in zip(maps[1:], parts[1:], strict=True):
            small = functional.conv2d(coarse, part)
            x = x + functional.interpolate(small, size, mode="bilinear", align_corners=True)
        for layer in (2, 4, 6):
            x = functional.conv2d(functional.selu(x), w[f"score_head.{layer}.weight"], padding=1)
        return torch.sigmoid(x)

    def _describe(self, maps: list[Tensor], at: Tensor, pad: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """(N, 128) unit descriptors of positions (N, 2) in the photo, which lies at `pad` in the maps."""
        w, count = self._weights, len(at)
        shift = torch.tensor(pad, device=at.device)
        limit = torch.tensor(size, device=at.device)

        steps = torch.arange(3, device=at.device)
        corner = (at.long() - 0.5).long()
        corner = torch.minimum(corner.clamp(min=0), limit - 4)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).reshape(9, 2)
        patch = _at_pixels(maps, (corner[:, None] + grid + shift).reshape(-1, 2)).reshape(count, 9, WIDTH)
        kernel = w["desc_head.offset_conv.0.weight"].flatten(2).permute(2, 1, 0).reshape(9 * WIDTH, -1)
        offset = patch.reshape(count, 9 * WIDTH) @ kernel + w["desc_head.offset_conv.0.bias"]
        offset = functional.linear(
            functional.selu(offset), w["desc_head.offset_conv.2.weight"][:, :, 0, 0], w["desc_head.offset_conv.2.bias"]
        )
        reach = max(size) / 4.0
        offset = offset.clamp(-reach, reach).reshape(count, 2, SAMPLES).transpose(1, 2)

        sampled = _between_pixels(maps, (at[:, None] + offset).reshape(-1, 2), shift, limit)
        features = functional.selu(sampled @ w["desc_head.sf_conv.weight"][:, :, 0, 0].T)
        described = features.reshape(count, SAMPLES * WIDTH) @ w["desc_head.agg_weights"].reshape(
            SAMPLES * WIDTH, WIDTH
        )
        return functional.normalize(described, dim=1)


def _padding(side: int) -> int:
    return -side % PAD_TO


def _folded(raw: weights.Weights) -> weights.Weights:
    """Batch normalisation folded into the convolution before it."""
    out = {name: value for name, value in raw.items() if ".bn" not in name}
    for block in ("block1", "block2", "block3", "block4"):
        for number in (1, 2):
            norm = f"{block}.bn{number}"
            scale = raw[f"{norm}.weight"] / torch.sqrt(raw[f"{norm}.running_var"] + BATCH_NORM_EPS)
            conv = f"{block}.conv{number}"
            weight = raw.get(f"{conv}.weight", raw.get(f"{conv}.regular_conv.weight"))
            assert weight is not None
            out[conv] = weight * scale[:, None, None, None]
            out[f"{block}.bias{number}"] = raw[f"{norm}.bias"] - raw[f"{norm}.running_mean"] * scale
    return out


def _deformed(x: Tensor, offset: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A 3x3 convolution that reads at moved positions (Dai et al. 2017). x: (1, C, H, W); offset: (1, 18, H, W), y
    before x for each of the nine."""
    _, channels, height, width = x.shape
    reach = max(height, width) / 4.0
    moved = offset.clamp(-reach, reach).reshape(9, 2, height, width)
    steps = torch.arange(-1, 2, device=x.device)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    y = moved[:, 0] + dy.reshape(9, 1, 1) + torch.arange(height, device=x.device)[:, None]
    x_at = moved[:, 1] + dx.reshape(9, 1, 1) + torch.arange(width, device=x.device)
    at = torch.stack([x_at, y], -1).reshape(1, 9 * height, width, 2)
    read = functional.grid_sample(x, _relative(at, width, height), align_corners=True)
    read = read.reshape(channels * 9, height * width)
    out = weight.reshape(len(weight), -1) @ read + bias[:, None]
    return out.reshape(1, -1, height, width)


def _relative(at: Tensor, width: int, height: int) -> Tensor:
    """Pixel positions (..., 2) as grid_sample takes them, -1 to 1 between the outer pixels' centres."""
    return 2.0 * at / torch.tensor([width - 1, height - 1], device=at.device) - 1.0


def _keypoints(scores: Tensor, features_max: int) -> Tensor:
    """(N, 2) x, y of the local maxima of (H, W) scores, refined between the pixels, best first."""
    width = scores.shape[1]
    peaks = _suppressed(scores)
    border = torch.zeros_like(peaks)
    border[RADIUS:-RADIUS, RADIUS:-RADIUS] = peaks[RADIUS:-RADIUS, RADIUS:-RADIUS]
    found = border > SCORE_MIN
    if not found.any():
        found = border > scores.mean()
    index = found.flatten().nonzero()[:, 0]
    best = torch.sort(scores.flatten()[index], descending=True, stable=True)[1][:features_max]
    index = index[best]
    x, y = index % width, index // width
    steps = torch.arange(-RADIUS, RADIUS + 1, device=scores.device)
    dy, dx = torch.meshgrid(steps, steps, indexing="ij")
    around = scores[y[:, None] + dy.flatten(), x[:, None] + dx.flatten()]
    share = torch.softmax(around / TEMPERATURE, dim=1)
    grid = torch.stack([dx.flatten(), dy.flatten()], 1).float()
    return torch.stack([x, y], 1) + share @ grid


def _suppressed(scores: Tensor) -> Tensor:
    """Scores of the local maxima, 0 elsewhere. A maximum near a suppressed pixel gets two more chances."""

    def largest(of: Tensor) -> Tensor:
        return functional.max_pool2d(of[None, None], 2 * RADIUS + 1, stride=1, padding=RADIUS)[0, 0]

    maxima = scores == largest(scores)
    for _ in range(2):
        near = largest(maxima.float()) > 0
        rest = torch.where(near, torch.zeros_like(scores), scores)
        maxima = maxima | ((rest == largest(rest)) & ~near)
    return torch.where(maxima, scores, torch.zeros_like(scores))


def _at_pixels(maps: list[Tensor], at: Tensor) -> Tensor:
    """(P, 128) unit features at whole pixels (P, 2) of the padded photo: each map enlarged there, and normalised."""
    height, width = maps[0].shape[2:]
    fine = maps[0][0, :, at[:, 1], at[:, 0]].T
    relative = _relative(at.float(), width, height)[None, :, None]
    coarse = [functional.grid_sample(x, relative, align_corners=True)[0, :, :, 0].T for x in maps[1:]]
    return functional.normalize(torch.cat([fine, *coarse], 1), dim=1)


def _between_pixels(maps: list[Tensor], at: Tensor, shift: Tensor, limit: Tensor) -> Tensor:
    """(P, 128) features between the pixels of the photo: the mean of the four around, 0 outside the photo."""
    low = at.floor().long()
    share = at - low
    total = torch.zeros(len(at), WIDTH, device=at.device)
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        pixel = low + torch.tensor([dx, dy], device=at.device)
        inside = ((pixel >= 0) & (pixel < limit)).all(dim=1)
        weight = (share[:, 0] if dx else 1 - share[:, 0]) * (share[:, 1] if dy else 1 - share[:, 1]) * inside
        clamped = torch.minimum(pixel.clamp(min=0), limit - 1) + shift
        total += weight[:, None] * _at_pixels(maps, clamped)
    return total
