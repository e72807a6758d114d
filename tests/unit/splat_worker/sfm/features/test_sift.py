"""Our features against COLMAP's extractor, the reference, and properties that hold for any image.
Runs on torch's CPU device with the same operations."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pycolmap
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch.utils._python_dispatch import TorchDispatchMode

from splat_worker.photos.mask import mask_path
from splat_worker.progress import silent
from splat_worker.sfm.features import gpu
from splat_worker.sfm.features.extract import extract_features
from splat_worker.sfm.features.gpu import features_of
from splat_worker.sfm.features.sift import find_features
from splat_worker.sfm.preset import SfmPreset

MOST = 8192


def drawn(seed: int = 0, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Discs of many sizes over a soft ground: features from the finest octave to the coarsest."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(60, 190, (9, 12), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(350):
        x, y, r = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.lognormal(1.2, 0.7)
        draw.ellipse((x - r, y - 0.7 * r, x + r, y + 0.7 * r), fill=int(rng.integers(0, 256)))
    return picture.filter(ImageFilter.GaussianBlur(0.7))


def ours(picture: Image.Image | np.ndarray, **options):  # type: ignore[no-untyped-def]
    whole = {"side_max_px": None, "features_max": MOST, "device": "cpu"}
    (found,) = features_of([np.array(picture)], **{**whole, **options})
    return found.keypoints, found.descriptors


def theirs(folder: Path, name: str, **options: int) -> tuple[np.ndarray, np.ndarray]:
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads = 1
    for key, value in options.items():
        setattr(extraction, key, value)
    database = folder / f"{name}.db"
    pycolmap.extract_features(
        database, folder, image_names=[name], extraction_options=extraction, device=pycolmap.Device.cpu
    )
    with pycolmap.Database.open(database) as db:
        six, descriptors = db.read_keypoints(1), db.read_descriptors(1).data
    turn, scale = np.arctan2(six[:, 4], six[:, 2]), np.hypot(six[:, 2], six[:, 4])
    return np.column_stack([six[:, :2], scale, turn]), descriptors


def pairs(one: np.ndarray, other: np.ndarray, *, px: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the same feature in both: position, scale within 2 % and direction within 3 degrees."""
    near = np.hypot(*(one[:, None, i] - other[None, :, i] for i in (0, 1))) < px
    near &= np.abs(np.log(one[:, None, 2] / other[None, :, 2])) < 0.02
    near &= np.abs((one[:, None, 3] - other[None, :, 3] + np.pi) % (2 * np.pi) - np.pi) < 0.05
    return np.nonzero(near)


def share(indices: np.ndarray, of: np.ndarray) -> float:
    return len(set(indices.tolist())) / len(of)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    unit = [d / np.linalg.norm(d, axis=1, keepdims=True) for d in (one.astype(float), other.astype(float))]
    return (unit[0] * unit[1]).sum(1)


def test_features_match_those_of_colmaps_extractor(tmp_path):
    drawn().save(tmp_path / "a.png")
    keypoints, descriptors = theirs(tmp_path, "a.png")
    our_keypoints, our_descriptors = ours(drawn())
    assert len(keypoints) > 500
    i, j = pairs(keypoints, our_keypoints)
    assert share(i, keypoints) > 0.9  # a disc has many equal directions, and rounding decides
    assert share(j, our_keypoints) > 0.9
    same = cosines(descriptors[i], our_descriptors[j])
    assert np.median(same) > 0.998
    assert np.mean(same > 0.98) > 0.97


def test_features_found_at_half_the_size_are_in_pixels_of_the_photo(tmp_path):
    drawn(size=(960, 720)).save(tmp_path / "a.png")
    keypoints, _ = theirs(tmp_path, "a.png", max_image_size=480)
    found, _ = ours(drawn(size=(960, 720)), side_max_px=480)
    assert found[:, 0].max() > 900
    i, _ = pairs(keypoints, found, px=1.0)  # COLMAP resizes with another filter
    assert share(i, keypoints) > 0.6


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_rotated_image_has_the_same_features_rotated(quarters):
    picture = np.array(drawn(1, (320, 320)))
    keypoints, descriptors = ours(picture)
    turned, turned_descriptors = ours(np.rot90(picture, -quarters))
    for _ in range(quarters):  # clockwise: x, y -> height - y, x
        keypoints = np.column_stack(
            [320 - keypoints[:, 1], keypoints[:, 0], keypoints[:, 2], (keypoints[:, 3] + np.pi / 2) % (2 * np.pi)]
        )
    i, j = pairs(keypoints, turned, px=0.6)  # the first octave doubles pixels to the right and downwards
    assert share(i, keypoints) > 0.8
    assert np.median(cosines(descriptors[i], turned_descriptors[j])) > 0.98


def test_the_largest_features_come_first_and_smaller_ones_are_dropped():
    keypoints, descriptors = ours(drawn())
    few, few_descriptors = ours(drawn(), features_max=50)
    assert (np.diff(keypoints[:, 2]) <= 0).all()
    assert np.array_equal(few, keypoints[:50])
    assert np.array_equal(few_descriptors, descriptors[:50])


def test_a_batch_finds_the_same_features_as_single_photos():
    greys = [np.array(drawn(seed, (200, 150))) for seed in range(3)]
    together = features_of(greys, None, features_max=MOST, device="cpu")
    for grey, found in zip(greys, together, strict=True):
        keypoints, descriptors = ours(grey)
        assert len(keypoints) > 100
        i, j = pairs(keypoints, found.keypoints, px=0.01)  # sums of another length round differently
        assert share(i, keypoints) == share(j, found.keypoints) == 1.0
        assert cosines(descriptors[i], found.descriptors[j]).min() > 0.99


def test_another_size_or_too_many_pixels_start_a_new_batch(monkeypatch):
    monkeypatch.setattr(gpu, "BATCH_PIXELS", 2 * 100 * 50)
    sizes = [(50, 100), (50, 100), (50, 100), (100, 50), (400, 400), (50, 100)]
    greys = [(str(i), np.zeros(size, np.uint8)) for i, size in enumerate(sizes)]
    batches = [[name for name, _ in batch] for batch in gpu._batches(greys, None)]
    assert batches == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
    assert [len(batch) for batch in gpu._batches([greys[4]] * 5, 50)] == [4, 1]
    assert not list(gpu._batches([], None))


@pytest.mark.parametrize(
    "picture", [np.full((240, 320), 128), np.zeros((5, 300)), np.zeros((1, 1)), np.tile(np.arange(320), (240, 1)) / 2]
)
def test_a_flat_or_tiny_image_has_no_features(picture):
    keypoints, descriptors = ours(picture.astype(np.uint8))
    assert keypoints.shape == (0, 4)
    assert descriptors.shape == (0, 128)


def test_features_of_noise_are_finite_and_inside_the_image():
    noise = torch.from_numpy(np.random.default_rng(3).random((97, 131), dtype=np.float32))
    (found,) = find_features(noise[None], features_max=MOST)
    assert len(found.keypoints) > 20
    assert np.isfinite(found.keypoints).all()
    x, y = found.keypoints[:, 0], found.keypoints[:, 1]
    assert x.min() >= 0
    assert x.max() <= 131
    assert y.min() >= 0
    assert y.max() <= 97
    assert (found.keypoints[:, 2] > 0).all()
    lengths = np.linalg.norm(found.descriptors.astype(float), axis=1)  # of 512 times a root of shares: 512
    assert np.abs(lengths - 512).max() < 8


@pytest.mark.parametrize("room_for", [0, 1, 2])
def test_a_gpu_without_memory_takes_photos_one_by_one_and_then_leaves_them_to_colmap(tmp_path, monkeypatch, room_for):
    looked: list[int] = []

    def within(pictures, **options):  # type: ignore[no-untyped-def]
        looked.append(len(pictures))
        if len(pictures) > room_for:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return find_features(pictures, **options)

    monkeypatch.setattr(gpu, "find_features", within)
    photos = photos_in(tmp_path / "photos", ["wide", "wide"])
    database = tmp_path / "matches.db"
    extract_features(SfmPreset(gpu="cpu", threads=1), photos, database, silent)
    assert looked == {0: [2, 1], 1: [2, 1, 1], 2: [2]}[room_for]
    with pycolmap.Database.open(database) as db:
        images = db.read_all_images()
        counts = {image.name: db.num_descriptors_for_image(image.image_id) for image in images}
    assert len({image.camera_id for image in images}) == 1
    for name in ("0.png", "1.png"):
        keypoints, _ = theirs(tmp_path / "photos", name)
        assert abs(counts[name] - len(keypoints)) < 0.03 * len(keypoints)


def photos_in(folder: Path, camera_keys: list[str]) -> list[SimpleNamespace]:
    folder.mkdir()
    photos = []
    for i, key in enumerate(camera_keys):
        path = folder / f"{i}.png"
        drawn(i, (320, 240)).save(path)
        photos.append(SimpleNamespace(path=path, camera_key=key, focal_px=None, width=320, height=240, mask=None))
    return photos


class Operations(TorchDispatchMode):
    """Records the names of all torch operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


def test_no_library_is_called_that_the_image_leaves_out():
    """image/left_out.py removes cuDNN, cuSOLVER and cuFFT; a call to one would end the worker, and only on a GPU."""
    with Operations() as asked:
        ours(drawn(size=(200, 150)), side_max_px=160)
    asked.names -= {"aten::linalg_cross", "aten::linalg_vector_norm"}  # torch's own
    assert len(asked.names) > 40
    assert not [name for name in asked.names if "conv" in name.replace("convert", "") or "linalg" in name]
    assert not [name for name in asked.names if any(word in name for word in ("fft", "solve", "svd", "eig", "sparse"))]


def test_the_database_matches_colmaps_and_known_photos_stay_unchanged(tmp_path):
    folder = tmp_path / "photos"
    photos = photos_in(folder, ["wide", "wide", "tele"])
    preset, database = SfmPreset(gpu="cpu", threads=1), tmp_path / "matches.db"
    extract_features(preset, photos[:2], database, silent)
    with pycolmap.Database.open(database) as db:
        before = {image.name: db.read_keypoints(image.image_id).tobytes() for image in db.read_all_images()}
    messages: list[str] = []
    extract_features(preset, photos, database, lambda _, message: messages.append(message))
    assert messages == ["Finding features: 3 of 3 photos"]
    with pycolmap.Database.open(database) as db:
        images = {image.name: image for image in db.read_all_images()}
        after = {name: db.read_keypoints(image.image_id).tobytes() for name, image in images.items()}
        keypoints, descriptors = theirs(folder, "2.png")
        mine, held = db.read_keypoints(images["2.png"].image_id), db.read_descriptors(images["2.png"].image_id)
    assert images["0.png"].camera_id == images["1.png"].camera_id != images["2.png"].camera_id
    assert before.items() <= after.items()
    assert held.type == pycolmap.FeatureExtractorType.SIFT
    assert mine.shape == (len(held.data), 4)
    assert abs(len(mine) - len(keypoints)) < 0.03 * len(keypoints)
    i, j = pairs(keypoints, mine)
    assert share(i, keypoints) > 0.9
    assert np.median(cosines(descriptors[i], held.data[j])) > 0.998


@pytest.mark.parametrize("gpu_device", ["cpu", None], ids=["ours", "COLMAP's"])
def test_features_beyond_a_mask_are_dropped_and_photos_without_one_keep_theirs(tmp_path, gpu_device):
    photos = photos_in(tmp_path / "photos", ["wide", "wide"])
    kept = np.zeros((240, 320), np.uint8)
    kept[60:200, 80:240] = 255
    mask = mask_path(photos[0].path)
    mask.parent.mkdir()
    Image.fromarray(kept).save(mask)
    photos[0].mask = mask
    database = tmp_path / "matches.db"
    extract_features(SfmPreset(gpu=gpu_device, threads=2), photos, database, silent)
    with pycolmap.Database.open(database) as db:
        images = db.read_all_images()
        points = {image.name: db.read_keypoints(image.image_id) for image in images}
        counts = {image.name: db.num_descriptors_for_image(image.image_id) for image in images}
    assert [image.name for image in images] == ["0.png", "1.png"]
    assert {name: len(found) for name, found in points.items()} == counts
    inside = points["0.png"]
    assert len(inside) > 50
    assert (inside[:, :2].min(axis=0) >= (80, 60)).all()
    assert (inside[:, :2].max(axis=0) <= (240, 200)).all()
    assert points["1.png"][:, 0].min() < 40
