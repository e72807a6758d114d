"""Undistorted photos equal COLMAP's where it moves whole pixels, and are never shifted by half a pixel, which blurs."""

from __future__ import annotations

import numpy as np
import pycolmap
import pytest
from PIL import Image

from splat_worker.scene import View
from splat_worker.sfm.sparse import SparseCamera, SparseModel
from splat_worker.sfm.undistort import K1_NONE, posed_photos

WIDTH, HEIGHT, FOCAL_PX = 320, 240, 340.0


def camera(k1: float) -> SparseCamera:
    return SparseCamera(
        name="a.png", world_to_camera=np.eye(4), width=WIDTH, height=HEIGHT, focal_px=FOCAL_PX,
        cx=WIDTH / 2, cy=HEIGHT / 2, k1=k1, seen=10,
    )  # fmt: skip


def straightened(k1: float, pixels: np.ndarray, folder) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    view = view_of(k1, pixels, folder)
    return view.image, view.k


def view_of(k1: float, pixels: np.ndarray, folder, mask: np.ndarray | None = None) -> View:  # type: ignore[no-untyped-def]
    Image.fromarray(pixels).save(folder / "a.png")
    masks = {}
    if mask is not None:
        masks["a.png"] = folder / "mask.png"
        Image.fromarray(mask).save(masks["a.png"])
    none = np.zeros((0, 3))
    model = SparseModel(
        cameras=(camera(k1),), points=none.astype(np.float32), colours=none.astype(np.uint8),
        tracks=np.zeros(0, np.int32), reprojection_error_px=0.5, rung="default", matching="exhaustive", tried={},
        rejected=(),
    )  # fmt: skip
    (view,) = posed_photos(model, {"a.png": folder / "a.png"}, masks).views
    return view


def colmaps(k1: float, pixels: np.ndarray) -> np.ndarray:
    params = [FOCAL_PX, WIDTH / 2, HEIGHT / 2, k1]
    bent = pycolmap.Camera(model="SIMPLE_RADIAL", width=WIDTH, height=HEIGHT, params=params)
    options = pycolmap.UndistortCameraOptions()
    return pycolmap.undistort_image(options, pycolmap.Bitmap.from_array(pixels), bent)[0].to_array()


def contrast(pixels: np.ndarray) -> float:
    """Contrast between neighbours in the middle, where distortion is small."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 2 - 15 : height // 2 + 15, width // 2 - 15 : width // 2 + 15].astype(float)
    return float(np.abs(np.diff(middle, axis=1)).mean())


@pytest.mark.parametrize("k1", [-0.2, -0.09, -0.045, -0.003, -1e-7, 0.0, 0.001, 0.01, 0.05, 0.2])
def test_sizes_change_by_whole_pixels_on_each_side_and_the_middle_stays_sharp(tmp_path, k1) -> None:
    noise = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image, k = straightened(k1, noise, tmp_path)
    theirs = colmaps(k1, noise)
    height, width = image.shape[:2]
    assert (WIDTH - width) % 2 == (HEIGHT - height) % 2 == 0
    if abs(k1) < K1_NONE:
        assert np.array_equal(image, noise)
        return
    assert 0 <= theirs.shape[1] - width <= 1
    assert 0 <= theirs.shape[0] - height <= 1
    assert k == pytest.approx(np.array([[FOCAL_PX, 0, width / 2], [0, FOCAL_PX, height / 2], [0, 0, 1]]))
    assert image.min() > 0, "no border that the photo does not reach"
    assert contrast(image) > 0.9 * contrast(noise)
    if image.shape == theirs.shape:
        assert np.array_equal(image, theirs)


def test_colmaps_image_of_an_odd_size_change_is_blurred() -> None:
    """The reason for the module: if this fails, COLMAP's image can be used."""
    noise = np.random.default_rng(0).integers(1, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    blurred = [colmaps(k1, noise) for k1 in (-0.003, -0.045, 0.05, 0.2)]
    odd = [image for image in blurred if (WIDTH - image.shape[1]) % 2]
    assert odd
    assert all(contrast(image) < 0.75 * contrast(noise) for image in odd)


def disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.where(np.hypot(x - WIDTH / 2, y - HEIGHT / 2) < radius, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("k1", [-0.09, 0.0, 0.05])
def test_a_subject_that_is_cut_out_keeps_its_share_of_every_pixel_and_is_over_black(tmp_path, k1) -> None:
    kept = disc(90)
    view = view_of(k1, np.full((HEIGHT, WIDTH, 3), 200, np.uint8), tmp_path, kept)
    assert view.mask is None
    assert view.cover is not None
    assert view.image[view.cover == 0].max() == 0
    assert (view.image[view.cover == 255] > 190).all()
    straight, _ = straightened(k1, np.repeat(kept[..., None], 3, axis=2), tmp_path)
    assert np.array_equal(view.cover, straight[..., 0]), "bent as its photo is"


def test_a_mask_that_hides_a_part_of_the_surroundings_hides_it_from_training_alone(tmp_path) -> None:
    kept = 255 - disc(40)
    view = view_of(0.0, np.full((HEIGHT, WIDTH, 3), 200, np.uint8), tmp_path, kept)
    assert view.cover is None
    assert np.array_equal(view.mask, kept == 255)
