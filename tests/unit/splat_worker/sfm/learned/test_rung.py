"""The learned rung from photos to cameras: a set that SIFT fails, one that must fail, and one that does not need it.
Silent failures: a made-up scene, cameras that differ between two runs, minutes for nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from splat_worker.errors import JobError
from splat_worker.photos.validation import Photo, Source, prepare
from splat_worker.sfm.cameras import reconstruct
from splat_worker.sfm.diagnosis import LEARNED_NOTE
from splat_worker.sfm.learned import rung
from splat_worker.sfm.learned.candidates import PROBES
from splat_worker.sfm.learned.lightglue import LightGlue
from splat_worker.sfm.mapping.ladder import Climbed, Found
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.resume import copy_database
from splat_worker.sfm.sparse import SparseModel
from tests.unit.splat_worker.drawn_scene import StillLife, draw
from tests.unit.splat_worker.sfm.match_sets import unpack


def photos_of(folder: Path, names: list[str], work: Path) -> tuple[Photo, ...]:
    return prepare([Source(name=name, path=folder / name) for name in names], work, side_max_px=480).photos


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> tuple[StillLife, tuple[Photo, ...], Path]:
    """Five photos in steps of 40 degrees, and the folder of a search."""
    root = tmp_path_factory.mktemp("wide")
    (root / "drawn").mkdir()
    scene = draw(root / "drawn", count=9, width=480, height=360)
    return scene, photos_of(root / "drawn", list(scene.names[:5]), root / "photos"), root


@pytest.fixture(scope="module")
def learned(wide: tuple[StillLife, tuple[Photo, ...], Path]) -> SparseModel:
    _, photos, root = wide
    return reconstruct(SfmPreset(), photos, root / "sfm")


def centres_error(model: SparseModel, scene: StillLife) -> float:
    """Largest distance of a camera from its true place, as a share of the cameras' extent, after a similarity."""
    true = np.stack([-pose[:3, :3].T @ pose[:3, 3] for pose in scene.poses[: len(model.cameras)]])
    found = np.stack([camera.centre for camera in model.cameras])
    f, t = found - found.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(t.T @ f)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    moved = (s * sign).sum() / (f**2).sum() * f @ (u @ np.diag(sign) @ vt).T
    return float(np.linalg.norm(moved - t, axis=1).max() / np.linalg.norm(true.max(0) - true.min(0)))


@pytest.mark.slow
def test_five_photos_in_steps_of_40_degrees_are_placed(
    wide: tuple[StillLife, tuple[Photo, ...], Path], learned: SparseModel
) -> None:
    assert len(learned.cameras) == 5
    assert centres_error(learned, wide[0]) < 0.01
    assert learned.rung.startswith("learned ")
    assert learned.tried["default"] == 0, "SIFT alone places none"
    assert LEARNED_NOTE in learned.notes


@pytest.mark.slow
def test_two_searches_give_the_same_bits_with_any_number_of_threads(
    wide: tuple[StillLife, tuple[Photo, ...], Path], learned: SparseModel, tmp_path: Path
) -> None:
    _, photos, root = wide
    copy_database(root / "sfm/matches.db", tmp_path / "copy.db")
    again = reconstruct(SfmPreset(threads=1), photos, tmp_path / "sfm", resume_from=tmp_path / "copy.db")
    assert again.to_bytes() == learned.to_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("learned")
def test_without_the_weights_the_ladder_alone_decides(
    wide: tuple[StillLife, tuple[Photo, ...], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, photos, root = wide
    copy_database(root / "sfm/matches.db", tmp_path / "copy.db")
    monkeypatch.setattr("splat_worker.sfm.learned.weights.PACKAGE", "not_installed_here")
    with pytest.raises(JobError, match="contradict"):
        reconstruct(SfmPreset(), photos, tmp_path / "sfm", resume_from=tmp_path / "copy.db")


@pytest.mark.slow
def test_rooms_that_share_nothing_are_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, database = unpack("two_rooms", tmp_path)
    compared: list[int] = []

    def match(*_: object) -> np.ndarray:
        compared.append(1)
        return np.zeros((0, 2), np.uint32)

    monkeypatch.setattr(LightGlue, "match", match)
    model = reconstruct(SfmPreset(), photos, tmp_path / "sfm", resume_from=database)
    assert len(compared) == PROBES
    assert len(model.cameras) == 8
    assert list(model.tried) == ["default"]


def found(placed: int, points: int) -> Found:
    model = SimpleNamespace(num_reg_images=lambda: placed, num_points3D=lambda: points)
    return Found(model=model, rung="any")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "before", "better"),
    [
        ((5, 100), None, True),
        ((6, 200), (5, 900), True),
        ((5, 900), (6, 200), False),
        ((5, 900), (5, 400), False),
        ((7, 410), (7, 58), True),
        ((7, 100), (7, 58), False),
    ],
    ids=["no model", "more photos", "fewer photos", "not weak", "weak, many points", "weak, few more points"],
)
def test_the_learned_model_must_gain(after: tuple[int, int], before: tuple[int, int] | None, better: bool) -> None:
    assert rung.is_better(found(*after), found(*before) if before else None) is better


@pytest.mark.parametrize("photos", [31, 5])
def test_large_and_complete_sets_never_find_learned_features(
    photos: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """31 photos are too many; of 5 all are placed with enough points."""
    names = [f"{number}.jpg" for number in range(5)]
    images = {i: SimpleNamespace(name=name, has_pose=True) for i, name in enumerate(names)}
    model = SimpleNamespace(num_reg_images=lambda: 5, num_points3D=lambda: 900, images=images)
    climbed = Climbed(best=Found(model=model, rung="default"), fault=None, tried={"default": 5})  # type: ignore[arg-type]
    monkeypatch.setattr(rung.LearnedRung, "_joined", lambda *_: pytest.fail("searched"))
    search = rung.LearnedRung(
        preset=SfmPreset(),
        photos=[SimpleNamespace()] * photos,  # type: ignore[list-item]
        database=tmp_path / "matches.db",
        work_dir=tmp_path,
        positions={},
        on_progress=lambda *_: None,
    )
    assert search.climb(climbed) == (climbed, tmp_path / "matches.db")


def test_a_fault_of_torch_keeps_the_cameras_of_the_ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available")

    monkeypatch.setattr("splat_worker.sfm.learned.search.LearnedSearch", broken)
    monkeypatch.setattr(rung.weights, "folder", lambda: tmp_path)
    climbed = Climbed(best=None, fault=None, tried={"default": 0})
    search = rung.LearnedRung(
        preset=SfmPreset(),
        photos=[SimpleNamespace()] * 5,  # type: ignore[list-item]
        database=tmp_path / "matches.db",
        work_dir=tmp_path,
        positions={},
        on_progress=lambda *_: None,
    )
    assert search.climb(climbed) == (climbed, tmp_path / "matches.db")


@pytest.mark.parametrize(("placed", "points", "weak"), [(5, 175, True), (29, 1653, False), (5, 322, False)])
def test_models_with_few_points_are_weak_but_not_a_walk_along_a_street(placed: int, points: int, weak: bool) -> None:
    assert rung.is_weak(found(placed, points)) is weak
