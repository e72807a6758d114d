"""The numbers of a training run, by preset and device.
Only numbers and the rule that picks them; trains nothing, imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from splat_worker.train.core.context import Device

SSIM_SHARE = 0.2  # of the loss; the rest is the mean absolute difference
# Of Adam's moments. The second is gsplat's and Adam's own; 0.99 was 0.1 to 0.7 dB worse (bench/gpu/README.md).
ADAM_DECAYS = (0.9, 0.999)
ADAM_EPSILON = 1e-15


FEW_PHOTOS, DROPOUT = 6, 0.1
"""Photos up to which this share of the Gaussians is left out of each step. With 5 photos to train on +0.58 dB in the
mean of seven sets, with 8 none (bench/sfm/README.md)."""


class PresetName(StrEnum):
    """How much time a user gives; not a device and not an image size."""

    PREVIEW = "preview"
    STANDARD = "standard"
    HIGH = "high"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """All numbers of one run. Rates are Adam's; `from`, `until`, coarse stages and `any_background` are shares of
    `steps`."""

    steps: int
    size_px: int  # longest side of the photos that are trained on
    gaussians_max: int  # hard cap in training, initial ones included; the backdrop's come on top
    sh_degree: int  # view-dependent colour: 0 none
    coarse: tuple[tuple[float, float], ...] = ((0.25, 0.5),)  # (until this fraction, at this share of the photos' size)
    densify_from: float = 0.06
    densify_until: float = 0.6
    densify_every: int = 100
    opacity_start: float = 0.3
    opacity_prune: float = 0.01
    rate_means: float = 8e-4  # times the scene's unit (schedule.scene_unit)
    rate_means_end: float = 0.02  # last rate over first
    rate_scales: float = 1.2e-2
    rate_quats: float = 3e-3
    rate_opacities: float = 5e-2
    rate_colour: float = 8e-3
    rate_sh: float = 4e-4
    opacity_weight: float = 0.01  # of mean opacity in the loss; both as in 3DGS-MCMC, against overfitting
    scale_weight: float = 0.01  # of mean scale over the scene's unit in the loss
    # Until then a new colour behind the scene in every step, fading to the backdrop's. 0: black, and no backdrop.
    any_background: float = 0.5
    rates_end: float = 1.0  # last rates over first, of all but the means, from the end of growth on
    resample: bool = False  # grow as 3DGS-MCMC does (cuda/densification.py); the CPU's trainer always splits
    start_size: float = 1.0  # of the first Gaussians, times the way to their neighbours
    dropout: float = 0.0  # share of the Gaussians left out of each step, against overfitting to few photos

    def rates_late(self, part: float) -> float:
        """What all rates but the means' are multiplied by at this part of the run (0 to 1)."""
        settled = max(0.0, part - self.densify_until) / max(1.0 - self.densify_until, 1e-9)
        return self.rates_end**settled

    def scale_at(self, part: float) -> float:
        """Share of the photos' size that is trained on at this part of the run (0 to 1)."""
        return next((scale for until, scale in self.coarse if part < until), 1.0)

    def gentler(self) -> Preset:
        """The same run with half the step sizes and without the weights on opacity and size, for a second attempt
        after a collapse: without these weights no set collapsed (docs/decisions/0019)."""
        rates = ("rate_means", "rate_scales", "rate_quats", "rate_opacities", "rate_colour", "rate_sh")
        slower = {name: 0.5 * getattr(self, name) for name in rates}
        return replace(self, **slower, opacity_weight=0.0, scale_weight=0.0)

    def halved(self) -> Preset:
        """The same run at half the size and half the Gaussians, for a second attempt after memory ran out."""
        return replace(self, size_px=max(self.size_px // 2, 1), gaussians_max=max(self.gaussians_max // 2, 1))


# What keeps longer runs from overfitting (docs/decisions/0009).
_LONG: Mapping[str, float] = {"rates_end": 0.1, "opacity_weight": 0.02, "scale_weight": 0.02}
_CPU: Mapping[PresetName, Preset] = {
    PresetName.PREVIEW: Preset(steps=1500, size_px=400, gaussians_max=20_000, sh_degree=0),
    PresetName.STANDARD: Preset(steps=4000, size_px=640, gaussians_max=60_000, sh_degree=1, **_LONG),
    PresetName.HIGH: Preset(steps=10_000, size_px=960, gaussians_max=150_000, sh_degree=2, **_LONG),
}
# Measured on sets of 20 to 50 photos (bench/gpu/README.md). Lower than the CPU's rates, which serve fewer steps.
_CUDA_FIT: Mapping[str, float] = {
    "rate_means": 4e-4,
    "rate_scales": 8e-3,
    "rate_quats": 2e-3,
    "rate_colour": 4e-3,
    "rate_sh": 2e-4,
}
# Growth by copies drawn by opacity ends 0.7 to 1.5 dB higher on held-out photos than splits where the screen gradient
# is largest. More steps than these gain nothing on sets of 20 to 50 photos (bench/gpu/README.md). Twice 3DGS-MCMC's
# weights: +0.4 dB in the mean of four such sets, and seeds differ less.
_CUDA_RESAMPLED: Mapping[str, float | bool] = {
    "resample": True,
    "densify_until": 0.7,
    "opacity_prune": 0.005,
    "opacity_start": 0.5,
    "start_size": 0.1,
    **_LONG,
}
_CUDA: Mapping[PresetName, Preset] = {
    PresetName.PREVIEW: Preset(steps=2000, size_px=960, gaussians_max=90_000, sh_degree=1, **_CUDA_FIT),
    PresetName.STANDARD: Preset(
        steps=5000, size_px=1600, gaussians_max=180_000, sh_degree=3, **_CUDA_FIT, **_CUDA_RESAMPLED
    ),
    # differs in the photos' size and the number of Gaussians for it
    PresetName.HIGH: Preset(
        steps=5000, size_px=2400, gaussians_max=220_000, sh_degree=3, **_CUDA_FIT, **_CUDA_RESAMPLED
    ),
}


def resolve_preset(
    name: PresetName, device: Device, n_photos: int, overrides: Mapping[str, object] | None = None
) -> Preset:
    """The numbers for a named preset; overrides replace single ones by field name.

    Raises ValueError on an unknown name or a value out of range.
    """
    base = (_CPU if Device(device) is Device.CPU else _CUDA)[PresetName(name)]
    # By the root of the number of photos: with few photos, more Gaussians make held-out photos worse.
    base = replace(
        base,
        steps=round(base.steps * _longer(n_photos, Device(device))),
        gaussians_max=round(base.gaussians_max * min(2.5, max(0.5, (n_photos / 25) ** 0.5))),
        dropout=DROPOUT if n_photos <= FEW_PHOTOS else 0.0,
    )
    known = {f.name: f for f in fields(Preset)}
    for key, value in (overrides or {}).items():
        if key not in known:
            raise ValueError(f"train.{key} is unknown; allowed: {', '.join(sorted(known))}")
        base = replace(base, **{key: value})
    return _checked(base)


def _longer(photos: int, device: Device) -> float:
    """Factor of the steps of a preset: by the root of the number of photos, on a GPU from 64 on in proportion to it.

    There, half as many steps again gain 1.0 and 0.6 dB on sets of 100 and 167 photos, and nothing on 50 and 80; twice
    the Gaussians gain 1.0 and lose 0.6 (bench/gpu/README.md). Not measured on a CPU.
    """
    root = max(1.0, (photos / 25) ** 0.5)
    return min(2.0, root) if device is Device.CPU else min(3.0, max(root, photos / 40))


_RANGES: Mapping[str, tuple[float, float]] = {
    "steps": (1, 100_000),
    "size_px": (32, 8192),
    "gaussians_max": (10, 10_000_000),
    "sh_degree": (0, 3),
    "densify_from": (0.0, 1.0),
    "densify_until": (0.0, 1.0),
    "densify_every": (1, 10_000),
    "any_background": (0.0, 1.0),
    "opacity_start": (0.01, 0.99),
    "opacity_prune": (0.0, 0.5),
    "dropout": (0.0, 0.5),
}


def _checked(preset: Preset) -> Preset:
    for key, (low, high) in _RANGES.items():
        value = getattr(preset, key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"train.{key} is {value!r}, allowed {low} to {high}")
    return preset
