"""What a run does at which step: rates, size of the photos, background, number of Gaussians.
Pure functions of the preset and of the part of the run that is done; every trainer follows them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from splat_worker.scene import Float32, PosedPhotos, View
from splat_worker.train.core.preset import Preset

SIZE_MIN_PX = 16  # of the photos in a coarse stage
# Random walk of faint Gaussians per unit of the means' rate (Kheradmand et al. 2024 take 5e5). Together with weights
# on opacity and scale it keeps small sets from overfitting (bench/gpu/README.md).
EXPLORATION = 2e5
# Mean share of the photos that see a Gaussian, where the presets' rates hold: 0.27 to 0.72 on the sets of 24 to 29
# photos that they were chosen on.
SEEN_SHARE = 0.25
SEES_MIN = 10  # points that a photo must see to tell how far its subject is
_NOTHING_SHARE = 0.05  # of pixels that are black: a subject in front of nothing (outdoors and rooms: 0.0001 to 0.0014)
_BLACK = 8  # of 255


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step of a run. step: counted from 0, of `steps`; background: (3,) the colour behind the scene."""

    step: int
    steps: int
    background: Float32

    @property
    def part(self) -> float:
        """Share of the run that is done before this step, 0 to 1."""
        return self.step / self.steps


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Step sizes of Adam by kind of parameter, weights in the loss, and the scale of the means' random walk."""

    mean: float
    scale: float = 0.005
    quat: float = 0.001
    opacity: float = 0.05
    sh0: float = 0.0025
    sh: float = 0.0025 / 20
    opacity_weight: float = 0.0
    scale_weight: float = 0.0
    noise: float = 0.0


def rates(preset: Preset, unit: float, part: float, *, seen_share: float = 1.0) -> Rates:
    """The numbers of a step at this part of the run (0 to 1). unit: scene units, see scene_unit.

    seen_share: mean share of the photos that see a Gaussian. Adam divides by the root of the mean squared gradient,
    which is zero in every photo that does not see it. Its step per photo that does therefore grows with the root of
    1 / share: on 167 photos of a flight everything swelled, faded and died (docs/decisions/0019).
    """
    slow = min(1.0, (seen_share / SEEN_SHARE) ** 0.5)
    mean = slow * preset.rate_means * unit * preset.rate_means_end**part
    late = slow * preset.rates_late(part)
    return Rates(
        mean=mean,
        scale=late * preset.rate_scales,
        quat=late * preset.rate_quats,
        opacity=late * preset.rate_opacities,
        sh0=late * preset.rate_colour,
        sh=late * preset.rate_sh,
        opacity_weight=preset.opacity_weight,
        scale_weight=preset.scale_weight / unit,
        noise=EXPLORATION * mean,
    )


def size_px(preset: Preset, longest_px: int, part: float) -> int:
    """Longer side of the photos to train on; longest_px: that of the largest photo."""
    return max(round(min(preset.size_px, longest_px) * preset.scale_at(part)), SIZE_MIN_PX)


def left_out(preset: Preset, seed: int, step: int, count: int, device: str) -> Tensor | None:
    """(count,) bool: the Gaussians that this step does without, the same for the same seed and step. None for none.

    A Gaussian that only fits what one photo shows in front of the others is missed less often than one that several
    photos agree on (DropGaussian, Park et al. 2025).
    """
    if preset.dropout <= 0.0:
        return None
    chance = torch.Generator(device).manual_seed(seed * 1_000_003 + step)
    return torch.rand(count, generator=chance, device=device) < preset.dropout


def edit_due(preset: Preset, step: int, steps: int) -> bool:
    """Whether Gaussians are removed and added after this step (counted from 1)."""
    inside = preset.densify_from * steps <= step <= preset.densify_until * steps
    return inside and step % preset.densify_every == 0


def target(preset: Preset, start: int, step: int, steps: int) -> int:
    """How many Gaussians there should be after the edit at `step`: from `start` to the cap.

    Along a line, or by a constant factor an edit where the preset resamples.
    """
    first, last = preset.densify_from * steps, preset.densify_until * steps
    part = min(1.0, max(0.0, (step - first) / max(last - first - preset.densify_every, 1.0)))
    cap = preset.gaussians_max
    return min(cap, round(start * (cap / start) ** part if preset.resample else start + (cap - start) * part))


def behind_nothing(rng: np.random.Generator, gain: float) -> Float32:
    """(3,) the colour behind a subject in front of nothing: a new one in every step to the end, so that no Gaussian
    around the subject can imitate it. gain: of the photo's brightness, which must not make it brighter than white."""
    return (rng.random(3) / max(gain, 1.0)).astype(np.float32)


def background(share: float, preset: Preset, rng: np.random.Generator, behind: Float32) -> Float32:
    """(3,) the colour behind the scene at this share of the run. behind: (3,) what a viewer will see there.

    Over one colour all the time, a wall of that colour may as well stay open, and seen from elsewhere it is a hole. A
    colour that nobody can learn closes it. It fades to `behind`, because the last steps must see what a viewer will.
    """
    left = 1.0 - share / max(preset.any_background, 1e-9)
    if not preset.any_background or left <= 0.0:
        return behind
    return (left * rng.random(3) + (1.0 - left) * behind).astype(np.float32)


def in_front_of_nothing(views: tuple[View, ...]) -> bool:
    """Whether the photos show a subject over black. Judged by every 4th pixel in both directions."""
    return float(np.mean([(view.image[::4, ::4] <= _BLACK).all(axis=2).mean() for view in views])) > _NOTHING_SHARE


def scene_unit(posed: PosedPhotos) -> float:
    """How far a photo's subject is, in scene units: the unit of the means' step size and of the weight on sizes.

    The median over the photos of the median depth of the points that each sees. A pixel is this over the focal length
    wide, however far the cameras stand apart: on a flight over a field that spread is four times the height, and a
    step size by it moved Gaussians by whole pixels (docs/decisions/0019). The cameras' spread where no photo sees
    enough points; 1 where they also stand in one place.
    """
    depths = [depth for view in posed.views if (depth := _median_depth(view, posed.points)) is not None]
    if depths:
        return float(np.median(depths))
    centres = np.stack([view.camera.centre for view in posed.views])
    reach = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
    return reach if reach > 0 else 1.0


def _median_depth(view: View, points: Float32) -> float | None:
    """Of the points in front of this photo and inside its picture; None where it sees too few."""
    rows = points @ view.world_to_camera[:3, :3].T + view.world_to_camera[:3, 3]
    depth = rows[:, 2]
    front = depth > 0
    pixels = (rows[front] / depth[front, None]) @ view.k.T
    height, width = view.image.shape[:2]
    inside = ((pixels[:, :2] >= 0) & (pixels[:, :2] < (width, height))).all(axis=1)
    return float(np.median(depth[front][inside])) if inside.sum() >= SEES_MIN else None
