"""PLY: a written scene reads back, with the columns that every viewer expects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from splat_worker.export.ply import read_ply, write_ply
from splat_worker.scene import Gaussians


def gaussians(n: int = 40, rows: int = 4) -> Gaussians:
    rng = np.random.default_rng(0)
    return Gaussians(
        means=rng.normal(size=(n, 3)).astype(np.float32),
        log_scales=rng.uniform(-5, -2, (n, 3)).astype(np.float32),
        quats=(lambda q: q / np.linalg.norm(q, axis=1, keepdims=True))(rng.normal(size=(n, 4))).astype(np.float32),
        opacity_logits=rng.normal(size=n).astype(np.float32),
        sh=rng.normal(size=(n, rows, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("rows", [1, 4, 9, 16])
def test_a_ply_reads_back_as_it_was_written(rows: int, tmp_path: Path) -> None:
    scene = gaussians(rows=rows)
    write_ply(tmp_path / "s.ply", scene)
    back = read_ply(tmp_path / "s.ply")
    for name in ("means", "log_scales", "opacity_logits", "sh"):
        assert np.array_equal(getattr(back, name), getattr(scene, name)), name
    assert back.quats == pytest.approx(scene.quats, abs=1e-6)


def test_a_ply_has_the_columns_of_the_original_in_their_order(tmp_path: Path) -> None:
    write_ply(tmp_path / "s.ply", gaussians(rows=4))
    head = (tmp_path / "s.ply").read_bytes().split(b"end_header")[0].decode()
    names = [line.split()[-1] for line in head.splitlines() if line.startswith("property")]
    rest = [f"f_rest_{i}" for i in range(9)]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"), *rest,
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]  # fmt: skip


def test_a_scene_with_nan_is_not_written(tmp_path: Path) -> None:
    scene = gaussians()
    broken = replace(scene, means=np.where(np.arange(3) == 1, np.nan, scene.means).astype(np.float32))
    with pytest.raises(ValueError, match="NaN or infinite"):
        write_ply(tmp_path / "s.ply", broken)
    assert not (tmp_path / "s.ply").exists()
