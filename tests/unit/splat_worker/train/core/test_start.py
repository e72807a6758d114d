"""The first Gaussians: at most the cap, with the preset's opacity and size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from splat_worker.scene import PosedPhotos
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.core.start import start_from_points
from splat_worker.train.cpu.backend import rms_distances

PRESET = replace(
    resolve_preset(PresetName.PREVIEW, Device.CPU, 20), gaussians_max=20, sh_degree=1, opacity_start=0.3, start_size=0.1
)


def posed(count: int) -> PosedPhotos:
    rng = np.random.default_rng(8)
    return PosedPhotos(
        views=(),
        points=rng.normal(0, 1, (count, 3)).astype(np.float32),
        point_colours=rng.integers(0, 256, (count, 3), dtype=np.uint8),
    )


def test_a_start_keeps_to_its_limit_and_needs_four_points():
    start = start_from_points(posed(50), PRESET, np.random.default_rng(0), rms_distances)
    assert len(start) == 20
    assert start.sh_degree == 1
    assert np.allclose(1 / (1 + np.exp(-start.opacity_logits)), 0.3)
    with pytest.raises(ValueError, match="3 points"):
        start_from_points(posed(3), PRESET, np.random.default_rng(0), rms_distances)


def test_sizes_are_the_presets_share_of_the_way_to_the_neighbours():
    cloud = posed(20)
    start = start_from_points(cloud, PRESET, np.random.default_rng(0), rms_distances)
    size, way = np.exp(start.log_scales[:, 0]), rms_distances(cloud.points)
    usual = way < np.quantile(way, 0.98)
    assert np.allclose(size[usual], 0.1 * way[usual], rtol=1e-5)
