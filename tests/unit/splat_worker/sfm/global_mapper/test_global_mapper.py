"""The global mapper on simulated matches with known cameras, and as the first rung of the ladder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from splat_worker.progress import silent
from splat_worker.sfm.global_mapper import mapper as global_mapper
from splat_worker.sfm.global_mapper.mapper import Whole, place
from splat_worker.sfm.global_mapper.model import model_of
from splat_worker.sfm.mapping.ladder import Climbed, Ladder
from splat_worker.sfm.matching.verified import read_verified

from . import ring

COUNT = 14


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ring") / "ring.db"
    ring.write_ring(path, COUNT)
    return path


@pytest.fixture(scope="module")
def placed(database: Path) -> Whole:
    whole = place(database, "cpu")
    assert whole is not None
    return whole


def test_all_photos_are_placed_where_they_were_taken(placed: Whole) -> None:
    assert len(placed.photos) == COUNT
    errors = ring.centre_errors(placed.bundle.centres.numpy(), ring.cameras(COUNT)[1])
    assert errors.max() < 0.001
    focal, _, _, k1 = placed.bundle.lenses[0].tolist()
    assert focal == pytest.approx(ring.FOCAL_PX, rel=0.005)
    assert k1 == pytest.approx(ring.K1, abs=0.01)


def test_wrong_matches_are_no_observations(placed: Whole) -> None:
    error = placed.bundle.errors_px().norm(dim=1)
    assert float(error.mean()) < 1.3 * ring.NOISE_PX
    assert float(error.max()) <= global_mapper.ERROR_KEPT_PX


def test_the_same_matches_give_the_same_bits(database: Path, placed: Whole) -> None:
    again = place(database, "cpu")
    assert again is not None
    for name in ("rotations", "shifts", "lenses", "points"):
        assert torch.equal(getattr(again.bundle, name), getattr(placed.bundle, name))


def test_the_model_holds_the_cameras_the_points_and_their_tracks(database: Path, placed: Whole) -> None:
    model = model_of(placed, database)
    assert model.num_reg_images() == COUNT
    assert model.compute_num_observations() == len(placed.keypoints)
    centres = {image.name: image.projection_center() for image in model.images.values()}
    for row, photo in enumerate(placed.photos.tolist()):
        np.testing.assert_allclose(centres[placed.matches.names[photo]], placed.bundle.centres[row].numpy(), atol=1e-9)
    # COLMAP computes the errors itself, from the tracks and the pixels.
    by_point = placed.bundle.structure.over_points(placed.bundle.errors_px().norm(dim=1))
    mean = float((by_point / placed.bundle.structure.per_point).mean())
    assert model.compute_mean_reprojection_error() == pytest.approx(mean, rel=1e-6)


def climbed(database: Path, work: Path, count: int) -> Climbed:
    """The ladder of a worker whose GPU is a CPU."""
    work.mkdir()
    return Ladder(
        gpu="cpu", photos=ring.photos(count, work), database=database, work_dir=work,
        pairs=read_verified(database), positions={}, on_progress=silent,
    ).climb()  # fmt: skip


def test_a_gpu_worker_takes_its_model_where_the_judge_finds_it_right(database: Path, tmp_path: Path) -> None:
    result = climbed(database, tmp_path / "work", COUNT)
    assert result.best is not None
    assert (result.best.rung, result.best.placed) == ("gpu", COUNT)
    assert dict(result.tried) == {"gpu": COUNT}


def test_the_incremental_mapper_goes_on_from_a_model_that_leaves_a_photo_out(tmp_path: Path) -> None:
    path = tmp_path / "apart.db"
    ring.write_ring(path, COUNT, apart=frozenset({COUNT - 1}))
    result = climbed(path, tmp_path / "work", COUNT)
    assert result.best is not None
    assert result.tried["gpu"] == COUNT - 1
    assert result.best.placed == COUNT - 1
    assert result.tried["default"] == COUNT - 1


def test_the_incremental_mapper_follows_where_the_gpu_fails(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(global_mapper, "place", out_of_memory)
    result = climbed(database, tmp_path / "work", COUNT)
    assert result.best is not None
    assert (result.best.rung, result.best.placed) == ("default", COUNT)


def test_photos_without_matches_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    ring.write_ring(path, 1)
    assert place(path, "cpu") is None
    assert place(tmp_path / "empty.db", "cpu") is None
