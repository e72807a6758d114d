"""Scenes with view-dependent colour as .sog, read back by splat-transform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splat_worker.errors import JobError
from splat_worker.export.files import read_back
from splat_worker.export.ply import write_ply
from splat_worker.export.sog import add_harmonics, order_of, write_sog
from splat_worker.export.splat_transform import convert
from splat_worker.scene import Gaussians


def scene(n: int, degree: int, *, kinds: int = 40, seed: int = 0) -> Gaussians:
    """Gaussians whose harmonics are small noise around `kinds` rows, like surfaces of a few materials."""
    rng = np.random.default_rng(seed)
    rows = (degree + 1) ** 2
    kind = rng.normal(0, 0.2, (kinds, rows, 3))[rng.integers(0, kinds, n)]
    sh = (kind + rng.normal(0, 0.01, kind.shape)).astype(np.float32)
    quats = rng.normal(size=(n, 4)).astype(np.float32)
    return Gaussians(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        log_scales=rng.normal(-4, 0.5, (n, 3)).astype(np.float32),
        quats=quats / np.linalg.norm(quats, axis=1, keepdims=True),
        opacity_logits=rng.normal(0, 2, n).astype(np.float32),
        sh=sh,
    )


def harmonics_error(before: Gaussians, after: Gaussians) -> float:
    """Root mean square over Gaussians matched by position (16-bit steps are far finer than their distances)."""
    near = np.argmin(((before.means[:, None] - after.means[None]) ** 2).sum(-1), axis=1)
    return float(np.sqrt(np.mean((before.sh[:, 1:] - after.sh[near][:, 1:]) ** 2)))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_scene_reads_back_with_its_harmonics(degree: int, tmp_path: Path) -> None:
    made = scene(1500, degree)
    write_sog(tmp_path / "scene.sog", made, threads=2)
    back = read_back(tmp_path / "scene.sog", tmp_path, threads=2)
    assert (len(back), back.sh_degree) == (1500, degree)
    if degree:
        assert harmonics_error(made, back) < 0.02  # the noise is 0.01, the harmonics are 0.2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.sog"]


def test_the_loss_is_no_larger_than_with_the_tools_clustering(tmp_path: Path) -> None:
    made = scene(1500, 2, kinds=600)
    write_sog(tmp_path / "ours.sog", made, threads=2)
    write_ply(tmp_path / "scene.ply", made)
    convert(tmp_path / "scene.ply", tmp_path / "theirs.sog")
    ours, theirs = (
        harmonics_error(made, read_back(tmp_path / f"{name}.sog", tmp_path, threads=2)) for name in ("ours", "theirs")
    )
    assert ours < 1.5 * theirs + 0.005


def test_harmonics_in_another_order_than_the_file_are_rejected(tmp_path: Path) -> None:
    made = scene(300, 1)
    write_sog(tmp_path / "scene.sog", made, threads=1)
    with pytest.raises(JobError, match="unexpected order"):
        add_harmonics(tmp_path / "scene.sog", made.select(np.arange(299, -1, -1)))


def test_the_order_is_found_with_repeated_positions_but_not_for_different_gaussians() -> None:
    made = scene(200, 1)
    twins = replace(made, means=np.repeat(made.means[:100], 2, axis=0))
    mixed = np.random.default_rng(3).permutation(200)
    found = order_of(twins, twins.select(mixed))
    assert np.array_equal(found, mixed)
    with pytest.raises(JobError, match="changed Gaussians"):
        order_of(made, replace(made, log_scales=made.log_scales + 1))
