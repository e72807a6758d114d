"""Presets are ordered, follow the number of photos, and refuse what makes no sense."""

from __future__ import annotations

import pytest

from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset


@pytest.mark.parametrize("device", list(Device))
def test_a_higher_preset_gives_more_steps_pixels_and_gaussians(device):
    chosen = [resolve_preset(name, device, 25) for name in PresetName]
    for field in ("steps", "size_px", "gaussians_max", "sh_degree"):
        values = [getattr(p, field) for p in chosen]
        assert values == sorted(values), field


def test_more_photos_never_mean_less():
    chosen = [resolve_preset(PresetName.STANDARD, Device.CPU, n) for n in (5, 11, 24, 50, 100, 300, 1000)]
    assert [p.steps for p in chosen] == sorted(p.steps for p in chosen)
    assert [p.gaussians_max for p in chosen] == sorted(p.gaussians_max for p in chosen)
    assert chosen[-1].gaussians_max == chosen[-2].gaussians_max


@pytest.mark.parametrize(
    ("device", "photos", "steps"),
    [
        (Device.CUDA, 20, 5000),
        (Device.CUDA, 50, 7071),
        (Device.CUDA, 64, 8000),
        (Device.CUDA, 100, 12_500),
        (Device.CUDA, 120, 15_000),
        (Device.CUDA, 300, 15_000),
        (Device.CPU, 50, 5657),
        (Device.CPU, 80, 7155),
        (Device.CPU, 300, 8000),
    ],
)
def test_larger_sets_train_for_longer(device: Device, photos: int, steps: int) -> None:
    assert resolve_preset(PresetName.STANDARD, device, photos).steps == steps


@pytest.mark.parametrize("device", list(Device))
def test_only_few_photos_leave_gaussians_out_of_each_step(device: Device) -> None:
    assert [resolve_preset(PresetName.STANDARD, device, n).dropout for n in (5, 6, 7, 24)] == [0.1, 0.1, 0.0, 0.0]


def test_overrides_replace_single_numbers():
    preset = resolve_preset(PresetName.PREVIEW, Device.CPU, 20, {"steps": 77})
    assert preset.steps == 77
    assert preset.size_px == resolve_preset(PresetName.PREVIEW, Device.CPU, 20).size_px


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"step": 5}, "train.step is unknown; allowed: .*steps"),
        ({"steps": 0}, "train.steps is 0, allowed 1 to"),
        ({"steps": "many"}, "train.steps is 'many'"),
        ({"steps": True}, "train.steps is True"),
        ({"size_px": 9}, "train.size_px is 9"),
        ({"sh_degree": 4}, "train.sh_degree is 4"),
    ],
)
def test_bad_overrides_name_the_key_the_value_and_what_is_allowed(overrides, message):
    with pytest.raises(ValueError, match=message):
        resolve_preset(PresetName.PREVIEW, Device.CPU, 20, overrides)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="ultra"):
        resolve_preset("ultra", Device.CPU, 20)


def test_halving_halves_what_memory_depends_on():
    preset = resolve_preset(PresetName.HIGH, Device.CPU, 25)
    assert preset.halved().size_px == preset.size_px // 2
    assert preset.halved().gaussians_max == preset.gaussians_max // 2
    assert preset.halved().steps == preset.steps


@pytest.mark.parametrize(("part", "times"), [(0.0, 1.0), (0.5, 1.0), (0.75, 0.1**0.5), (1.0, 0.1)])
def test_rates_fall_from_the_end_of_growth_on(part, times):
    preset = resolve_preset(PresetName.STANDARD, Device.CPU, 24, {"densify_until": 0.5, "rates_end": 0.1})
    assert preset.rates_late(part) == pytest.approx(times)
