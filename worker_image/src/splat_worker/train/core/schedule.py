"""What a run does at which step: rates, size of the photos, background, number of Gaussians.
Pure functions of the preset and of the part of the run that is done; every trainer follows them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from splat_worker.scene import Float32, View
from splat_worker.train.core.preset import Preset

SIZE_MIN_PX = 16  # of the photos in a coarse stage
# Random walk of faint Gaussians per unit of the means' rate (Kheradmand et al. 2024 take 5e5). Together with weights
# on opacity and scale it keeps small sets from overfitting (bench/gpu/README.md).
EXPLORATION = 2e5
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


def rates(preset: Preset, extent: float, part: float) -> Rates:
    """The numbers of a step at this part of the run (0 to 1)."""
    mean = preset.rate_means * extent * preset.rate_means_end**part
    late = preset.rates_late(part)
    return Rates(
        mean=mean,
        scale=late * preset.rate_scales,
        quat=late * preset.rate_quats,
        opacity=late * preset.rate_opacities,
        sh0=late * preset.rate_colour,
        sh=late * preset.rate_sh,
        opacity_weight=preset.opacity_weight,
        scale_weight=preset.scale_weight / extent,
        noise=EXPLORATION * mean,
    )


def size_px(preset: Preset, longest_px: int, part: float) -> int:
    """Longer side of the photos to train on; longest_px: that of the largest photo."""
    return max(round(min(preset.size_px, longest_px) * preset.scale_at(part)), SIZE_MIN_PX)


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


def background(share: float, preset: Preset, rng: np.random.Generator) -> Float32:
    """(3,) the colour behind the scene at this share of the run.

    Over black all the time, a dark wall may as well stay open, and seen from elsewhere it is a hole. A colour that
    nobody can learn closes it. It fades to black, because the last steps must see what a viewer will.
    """
    left = 1.0 - share / max(preset.any_background, 1e-9)
    if not preset.any_background or left <= 0.0:
        return np.zeros(3, np.float32)
    return (left * rng.random(3)).astype(np.float32)


def in_front_of_nothing(views: tuple[View, ...]) -> bool:
    """Whether the photos show a subject over black. Judged by every 4th pixel in both directions."""
    return float(np.mean([(view.image[::4, ::4] <= _BLACK).all(axis=2).mean() for view in views])) > _NOTHING_SHARE


def scene_extent(views: tuple[View, ...]) -> float:
    """1.1 times the largest distance of a camera from the mean of the cameras; the unit of the means' step size."""
    centres = np.stack([view.camera.centre for view in views])
    reach = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
    return 1.1 * reach if reach > 0 else 1.0
